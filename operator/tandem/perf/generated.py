"""A small table made from a profile, for where nothing measured is at hand.

It is not the three-term form: that is multiplied by what kernels do to it, so that a planner which
fits three terms is not judged against itself. The factors are how aiconfigurator-core 0.12.0's
modelled steps of Llama-3.1-8B (BF16, vLLM 0.24.0, one H200) stand to their own three-term fit, means
over what the table varies besides:

- prefill, by tokens of the batch: tiles and waves of the GEMMs are filled best at 512 to 1,024 tokens and
  attention saturates above. Below 256 tokens, where the fixed cost is nearly all, the profile's own.
- decode, by batch: other kernels at other batches, up to 4 % below 512 sequences.

Between batches and lengths of powers of two the table interpolates. Deterministic.
"""

from tandem.perf.engine_profile import EngineProfile
from tandem.perf.table import TableTimes

_PREFILL_BY_TOKENS = {
    256: 1.010,
    512: 0.921,
    1024: 0.929,
    2048: 0.981,
    4096: 1.036,
    8192: 1.038,
    16384: 1.011,
    32768: 0.998,
    65536: 0.982,
}
_DECODE_BY_BATCH = {
    1: 0.976,
    2: 1.010,
    4: 1.004,
    8: 0.991,
    16: 1.033,
    32: 1.005,
    64: 0.990,
    128: 0.966,
    256: 0.991,
    512: 1.058,
}
_PROMPTS = (1, 2, 4, 8)
_LENGTHS = tuple(2**power for power in range(6, 17))  # 64 to 65,536 tokens
_CONTEXTS = tuple(2**power for power in range(7, 16))  # 128 to 32,768


def generated(profile: EngineProfile) -> TableTimes:
    """The table of a profile."""
    prefill = [
        (prompts, length, _prefill_s(profile, prompts, length))
        for prompts in _PROMPTS
        for length in _LENGTHS
    ]
    decode = [
        (batch, context, factor * profile.decode.step_s(batch, batch * context))
        for batch, factor in _DECODE_BY_BATCH.items()
        for context in _CONTEXTS
    ]
    return TableTimes(prefill, decode, f"generated from {profile.name}")


def _prefill_s(profile: EngineProfile, prompts: int, length: int) -> float:
    tokens = prompts * length
    most = max(_PREFILL_BY_TOKENS)
    factor = _PREFILL_BY_TOKENS.get(min(tokens, most), 1.0)
    return factor * profile.prefill.batch_s([(0, length)] * prompts)
