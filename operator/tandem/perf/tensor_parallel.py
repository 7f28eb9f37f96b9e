"""The engines of a model on more or fewer accelerators, from a table of fitted coefficients.

    system,backend,version,model,tp,dtype,prefill_a_ms,prefill_b_us_per_tok,prefill_c_ns_per_tok2,...

gives the times of each tensor parallelism (aiconfigurator's kernels, fitted by us). The rest follows from the
profile at hand: links and price are for each accelerator, and KV has what weights leave:

    tokens(n) = (n · U − W)/bytes a token        U = 0.9 · memory − 2.7 GB        W = weights

with W from the profile's own tokens(n). A cold start is taken to last as long.
"""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from tandem.errors import InvalidInputError
from tandem.perf.engine_profile import DecodeCost, EngineProfile, PrefillCost

FILE = "fits.csv"
BACKEND = "vllm"
MEMORY_MIB: Mapping[str, int] = MappingProxyType(  # of an accelerator, as its driver says
    {
        "nvidia-a100-80gb": 81_920,
        "nvidia-h100": 81_559,
        "nvidia-h200": 143_771,
        "nvidia-b200": 183_359,
    }
)
UTILISATION, RESERVE_BYTES = 0.9, 2.7e9  # vLLM's default, and what its own buffers take
_PREFILL = ("prefill_a_ms", "prefill_b_us_per_tok", "prefill_c_ns_per_tok2")
_DECODE = ("decode_a_ms", "decode_b_us_per_seq", "decode_c_us_per_ktok")


def variants(base: EngineProfile, path: Path) -> Iterator[EngineProfile]:
    """The profile on other numbers of accelerators, as far as a table has them and weights fit."""
    if base.accelerator not in MEMORY_MIB:
        return
    for row in _rows(path):
        if _is_of(row, base) and (made := _variant(base, row, path)) is not None:
            yield made


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def _is_of(row: Mapping[str, str], base: EngineProfile) -> bool:
    system = base.accelerator.removeprefix("nvidia-").split("-", 1)[0] + "_sxm"
    model = base.model.rsplit("/", 1)[-1].removesuffix("-Instruct")
    asked = (system, model, BACKEND)
    return (row.get("system"), row.get("model"), row.get("backend")) == asked


def _variant(base: EngineProfile, row: Mapping[str, str], path: Path) -> EngineProfile | None:
    """The profile that a row tells of; None for the base's own size, and where weights do not fit."""
    count = round(_number(row, "tp", path))
    tokens = kv_tokens(base, count)
    if count == base.accelerators or tokens < base.kv.block_tokens:
        return None
    times = count / base.accelerators
    bandwidth = base.transfer.bandwidth_bytes_per_s * times
    a_ms, b_us, c_ns = (_number(row, column, path) for column in _PREFILL)
    alpha_ms, beta_us, gamma_ns = (_number(row, column, path) for column in _DECODE)
    return replace(
        base,
        name=f"{base.name.rsplit('-tp', 1)[0]}-tp{count}",
        accelerators=count,
        prefill=PrefillCost(a_s=a_ms * 1e-3, b_s_per_token=b_us * 1e-6, c_s_per_token2=c_ns * 1e-9),
        decode=DecodeCost(
            alpha_s=alpha_ms * 1e-3,
            beta_s_per_sequence=beta_us * 1e-6,
            gamma_s_per_token=gamma_ns * 1e-9,  # a µs for each thousand tokens
        ),
        kv=replace(base.kv, capacity_tokens=tokens),
        transfer=replace(base.transfer, bandwidth_bytes_per_s=bandwidth),
        cost_per_hour=base.cost_per_hour * times,
        fit_error=None,
        source=f"{path.name}, {row.get('version', '')}; KV, link and price after {base.name}",
    )


def kv_tokens(base: EngineProfile, count: int) -> int:
    """Tokens that so many accelerators hold beside the weights; 0 where those do not fit."""
    usable = UTILISATION * MEMORY_MIB[base.accelerator] * 2**20 - RESERVE_BYTES
    weights = base.accelerators * usable - base.kv.capacity_tokens * base.kv.bytes_per_token
    return max(0, int((count * usable - weights) / base.kv.bytes_per_token))


def _number(row: Mapping[str, str], column: str, path: Path) -> float:
    text = row.get(column)
    try:
        return float(text or "")
    except ValueError:
        raise InvalidInputError(f"{path.name}, column {column}", text, "a number") from None
