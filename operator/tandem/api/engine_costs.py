"""The parts of an EngineProfile: what prompts, steps, KV and start-up cost.

What people write elsewhere are durations and quantities; what instruments write here are numbers,
with the unit in the name. The formulas are those of `perf.engine_profile`.
"""

from typing import Annotated, ClassVar

from pydantic import Field

from tandem.api.base import ApiModel, Rule
from tandem.api.scalars import Text

NotNegative = Annotated[float, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]
Tokens = Annotated[int, Field(ge=1, le=1_000_000_000_000)]


class PrefillCost(ApiModel):
    """Seconds of a batch of prompts: a + b × tokens computed + c × Σ(length² − cached²)."""

    a_seconds: NotNegative
    """Seconds of any batch, however small."""

    b_seconds_per_token: NotNegative
    """Seconds of one token computed."""

    c_seconds_per_token2: NotNegative
    """Seconds of one pair of tokens that attend to each other."""

    def takes_time(self) -> bool:
        """Whether a prompt costs anything."""
        return self.a_seconds + self.b_seconds_per_token > 0

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            field="aSeconds",
            allowed="aSeconds or bSecondsPerToken above zero",
            cel="self.aSeconds + self.bSecondsPerToken > 0.0",
            holds=takes_time,
        ),
    )


class DecodeCost(ApiModel):
    """Seconds of a decode step: alpha + beta × sequences + gamma × Σ context."""

    alpha_seconds: NotNegative
    """Seconds of any step, however small the batch."""

    beta_seconds_per_sequence: NotNegative
    """Seconds that one more sequence in the batch adds."""

    gamma_seconds_per_token: NotNegative
    """Seconds that one more token of context adds."""

    def takes_time(self) -> bool:
        """Whether a step costs anything."""
        return self.alpha_seconds + self.beta_seconds_per_sequence > 0

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            field="alphaSeconds",
            allowed="alphaSeconds or betaSecondsPerSequence above zero",
            cel="self.alphaSeconds + self.betaSecondsPerSequence > 0.0",
            holds=takes_time,
        ),
    )


class KvCache(ApiModel):
    """Paged KV cache of one replica."""

    bytes_per_token: Positive
    """Bytes that one token takes, over all layers."""

    capacity_tokens: Tokens
    """Tokens that the cache holds."""

    block_tokens: Annotated[int, Field(ge=1, le=65536)] = 16
    """Tokens of one block."""

    def holds_a_block(self) -> bool:
        """Whether anything fits."""
        return self.capacity_tokens >= self.block_tokens

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            field="capacityTokens",
            allowed="at least kv.blockTokens",
            cel="self.capacityTokens >= self.blockTokens",
            holds=holds_a_block,
        ),
    )


class TransferCost(ApiModel):
    """The link over which one replica sends or takes KV."""

    latency_seconds: NotNegative
    """Seconds before the first byte."""

    bandwidth_bytes_per_second: Positive
    """Bytes that an idle link moves in a second."""


class ColdStartStage(ApiModel):
    """One stage between the asking for a replica and its being Ready."""

    stage: Annotated[
        str,
        Text(
            allowed="up to 63 letters, digits and '_', such as weights",
            max_length=63,
            pattern=r"^[A-Za-z][A-Za-z0-9_]*$",
        ),
    ]
    """Name of the stage, such as image, weights or compile."""

    seconds: NotNegative
    """Seconds that it takes."""


class FitError(ApiModel):
    """Relative errors of the fit, as shares: 0.03 is 3 %."""

    prefill_mean: NotNegative
    """Mean over the prefill points."""

    prefill_max: NotNegative
    """Worst of the prefill points."""

    decode_mean: NotNegative
    """Mean over the decode points."""

    decode_max: NotNegative
    """Worst of the decode points."""
