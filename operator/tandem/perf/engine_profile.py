"""EngineProfile: what one engine replica costs in time, memory and money.

Three terms a stage, the form that DistServe's simulator and Mooncake's regression share
(`docs/concepts/queueing-model.md`):

    prefill batch   T = a + b Σn + c Σ(L² − p²)      n = L − p tokens computed, p already cached
    decode step     T = α + β batch + γ Σcontext
    KV transfer     X = latency + bytes / bandwidth

Every value is checked when it is made, so that a wrong number is named where it was given and does
not surface as a simulation that never ends.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil, inf

from tandem.api.role import Role
from tandem.errors import InvalidInputError


def _not_negative(part: str, **values: float) -> None:
    for name, value in values.items():
        if not 0 <= value < inf:
            raise InvalidInputError(part + name, value, "a finite number, zero or more")


def _positive(part: str, **values: float) -> None:
    for name, value in values.items():
        if not 0 < value < inf:
            raise InvalidInputError(part + name, value, "a finite number above zero")


@dataclass(frozen=True, slots=True, kw_only=True)
class PrefillCost:
    """T = a + b Σn + c Σ(L² − p²) seconds for one batch."""

    a_s: float
    b_s_per_token: float
    c_s_per_token2: float

    def __post_init__(self) -> None:
        marginal = {"b_s_per_token": self.b_s_per_token, "c_s_per_token2": self.c_s_per_token2}
        _not_negative("prefill.", a_s=self.a_s, **marginal)
        if self.a_s + sum(marginal.values()) <= 0:
            raise InvalidInputError("prefill.a_s", self.a_s, "one of the coefficients above zero")

    def batch_s(self, chunks: Iterable[tuple[int, int]]) -> float:
        """Seconds of one batch of chunks, each (p already computed, L computed after it)."""
        tokens = squares = 0
        for start, end in chunks:
            tokens += end - start
            squares += end * end - start * start
        return self.a_s + self.b_s_per_token * tokens + self.c_s_per_token2 * squares


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodeCost:
    """T = α + β batch + γ Σcontext seconds for one iteration."""

    alpha_s: float
    beta_s_per_sequence: float
    gamma_s_per_token: float

    def __post_init__(self) -> None:
        marginal = {
            "beta_s_per_sequence": self.beta_s_per_sequence,
            "gamma_s_per_token": self.gamma_s_per_token,
        }
        _not_negative("decode.", alpha_s=self.alpha_s, **marginal)
        if self.alpha_s + sum(marginal.values()) <= 0:
            allowed = "one of the coefficients above zero"
            raise InvalidInputError("decode.alpha_s", self.alpha_s, allowed)

    def step_s(self, batch: float, context_tokens: float) -> float:
        """Seconds of one iteration of `batch` sequences that attend to `context_tokens` in sum."""
        return (
            self.alpha_s
            + self.beta_s_per_sequence * batch
            + self.gamma_s_per_token * context_tokens
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class KvCache:
    """Paged KV cache of one replica."""

    bytes_per_token: float
    capacity_tokens: int
    block_tokens: int = 16

    def __post_init__(self) -> None:
        _positive("kv.", bytes_per_token=self.bytes_per_token, block_tokens=self.block_tokens)
        if self.capacity_tokens < self.block_tokens:
            allowed = f"at least one block of {self.block_tokens} tokens"
            raise InvalidInputError("kv.capacity_tokens", self.capacity_tokens, allowed)

    def blocks(self, tokens: int) -> int:
        """Blocks that hold `tokens`."""
        return -(-tokens // self.block_tokens)


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferCost:
    """The link over which one replica sends or takes KV.

    `push_layers` 0: decode pulls it when the prompt is whole. Above 0: it is sent layer by layer while it
    is computed. `domain_bytes_per_s` is what all links of the fleet's network domain share; 0: no limit.
    """

    latency_s: float
    bandwidth_bytes_per_s: float
    push_layers: int = 0
    domain_bytes_per_s: float = 0.0

    def __post_init__(self) -> None:
        shared = {"push_layers": self.push_layers, "domain_bytes_per_s": self.domain_bytes_per_s}
        _not_negative("transfer.", latency_s=self.latency_s, **shared)
        _positive("transfer.", bandwidth_bytes_per_s=self.bandwidth_bytes_per_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class FitError:
    """Mean and worst relative error of a fit, as shares (0.03 is 3 %)."""

    prefill_mean: float
    prefill_max: float
    decode_mean: float
    decode_max: float


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineProfile:
    """One engine replica: model, accelerators, and what its work costs.

    `batch_tokens` is the engine's token budget a step (a longer prompt is computed in chunks),
    `batch_cap` its limit of running sequences. `first_token` tells which leg emits token 1 to the
    user: vLLM behind a proxy streams the decode leg from its first token on.
    """

    name: str
    model: str
    accelerator: str
    accelerators: int
    prefill: PrefillCost
    decode: DecodeCost
    kv: KvCache
    transfer: TransferCost
    batch_cap: int = 256
    batch_tokens: int = 8192
    first_token: Role = Role.DECODE
    cold_start_s: tuple[tuple[str, float], ...] = ()
    cost_per_hour: float = 0.0
    source: str = ""
    fit_error: FitError | None = None

    def __post_init__(self) -> None:
        _positive("", accelerators=self.accelerators, batch_cap=self.batch_cap)
        if self.batch_tokens < self.batch_cap:
            # vLLM refuses it too: every running sequence must be able to decode in one step.
            allowed = f"at least batch_cap, {self.batch_cap}"
            raise InvalidInputError("batch_tokens", self.batch_tokens, allowed)
        _not_negative("cold_start_s.", **dict(self.cold_start_s))
        _not_negative("", cost_per_hour=self.cost_per_hour)

    @property
    def cold_start_total_s(self) -> float:
        """Seconds from the asking to Ready, all stages."""
        return sum(seconds for _, seconds in self.cold_start_s)

    def prefill_s(self, input_tokens: int, cached_tokens: int = 0) -> float:
        """Seconds to prefill one prompt alone, in chunks of `batch_tokens`.

        A prompt that is cached whole still computes its last token, which yields the next one.
        """
        cached = min(cached_tokens, input_tokens - 1)
        new = input_tokens - cached
        cost = self.prefill
        squares = input_tokens * input_tokens - cached * cached
        marginal_s = cost.b_s_per_token * new + cost.c_s_per_token2 * squares
        return ceil(new / self.batch_tokens) * cost.a_s + marginal_s

    def step_s(
        self, chunks: Sequence[tuple[int, int]], decoding: int, context_tokens: int
    ) -> float:
        """Seconds of one iteration that computes chunks of prompts and decodes `decoding` sequences.

        It pays the larger of the two fixed costs, since weights are read once, and every marginal one.
        """
        prompt_s = self.prefill.batch_s(chunks) if chunks else 0.0
        decode_s = self.decode.step_s(decoding, context_tokens) if decoding else 0.0
        shared_s = min(self.prefill.a_s, self.decode.alpha_s) if chunks and decoding else 0.0
        return prompt_s + decode_s - shared_s

    def decode_run(self, decoding: int, context_tokens: int, most: int) -> tuple[int, float, float]:
        """(iterations, first_s, slope_s): iteration i of a constant decode batch takes first + i slope.

        The three-term form is linear in the context, which grows by `decoding` tokens an iteration,
        so that one run covers all of `most`.
        """
        first_s = self.decode.step_s(decoding, context_tokens) if decoding else 0.0
        return most, first_s, self.decode.gamma_s_per_token * decoding

    def transfer_s(self, tokens: float) -> float:
        """Seconds to move the KV of `tokens` over an idle link."""
        return (
            self.transfer.latency_s
            + tokens * self.kv.bytes_per_token / self.transfer.bandwidth_bytes_per_s
        )
