"""EngineProfile: what one engine replica costs in time, memory and money.

Three terms a stage, the form that DistServe's simulator and Mooncake's regression share
(`docs/concepts/queueing-model.md`):

    prefill batch   T = a + b Σn + c Σ(L² − p²)      n = L − p tokens computed, p already cached
    decode step     T = α + β batch + γ Σcontext
    KV transfer     X = latency + bytes / bandwidth
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from math import ceil

from tandem.api.role import Role


@dataclass(frozen=True, slots=True, kw_only=True)
class PrefillCost:
    """T = a + b Σn + c Σ(L² − p²) seconds for one batch."""

    a_s: float
    b_s_per_token: float
    c_s_per_token2: float

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


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferCost:
    """The link over which one replica sends or takes KV."""

    latency_s: float
    bandwidth_bytes_per_s: float


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
    fit_error: FitError | None = field(default=None)

    @property
    def cold_start_total_s(self) -> float:
        """Seconds from the asking to Ready, all stages."""
        return sum(seconds for _, seconds in self.cold_start_s)

    def prefill_s(self, input_tokens: int, cached_tokens: int = 0) -> float:
        """Seconds to prefill one prompt alone, in chunks of `batch_tokens`."""
        new = input_tokens - cached_tokens
        chunks = max(1, ceil(new / self.batch_tokens))
        cost = self.prefill
        squares = input_tokens * input_tokens - cached_tokens * cached_tokens
        return chunks * cost.a_s + cost.b_s_per_token * new + cost.c_s_per_token2 * squares

    def transfer_s(self, tokens: float) -> float:
        """Seconds to move the KV of `tokens` over an idle link."""
        return (
            self.transfer.latency_s
            + tokens * self.kv.bytes_per_token / self.transfer.bandwidth_bytes_per_s
        )
