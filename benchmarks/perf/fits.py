"""Fits every profile of the library again and prints what it finds beside what is stored.

    TANDEM_DATA=... python -m benchmarks.perf.fits

Which samples: of aiconfigurator's modelled step times, those that fit in memory, prompts of 128 to
32,768 tokens in batches of 1 to 8, decode batches of 1 to 256. Of Dynamo's measured ones, every
prompt, and decode at contexts of 2,997 tokens and more (below, an admission cap shows above 800
sequences). OPT-13B has published coefficients and no samples.
"""

import csv
import os
import sys
from dataclasses import astuple
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow.compute as pc
import pyarrow.parquet as pq

from tandem.perf.engine_profile import DecodeCost, PrefillCost
from tandem.perf.fit import Fit, fit_decode, fit_prefill
from tandem.perf.library import PROFILES

Rows = list[tuple[float, float, float]]

MODELLED = "aic_0.12.0_sweep_bf16.parquet"
MEASURED = "dynamo_h200_llama31-8b-fp8_tp1_{}.csv"
MEASURED_PROFILE = "h200-llama-3.1-8b-fp8-tp1"
UNSAMPLED = "a100-opt-13b-tp1"


class Refit(NamedTuple):
    """The fits of one profile's samples."""

    prefill: Fit[PrefillCost]
    decode: Fit[DecodeCost]


def refit(name: str, profiles: Path) -> Refit | None:
    """The profile of a name fitted anew from the samples in a folder; None where it has none."""
    if name == UNSAMPLED:
        return None
    rows = _measured_rows if name == MEASURED_PROFILE else _modelled_rows
    prefill, decode = rows(name, profiles)
    return Refit(fit_prefill(prefill), fit_decode(decode))


def _measured_rows(_: str, profiles: Path) -> tuple[Rows, Rows]:
    prefill = [
        (float(row["isl"]), float(row["isl"]) ** 2, float(row["ttft_ms"]) / 1e3)
        for row in _csv(profiles / MEASURED.format("prefill"))
    ]
    decode = [
        (float(row["concurrency"]), float(row["kv_tokens"]), float(row["itl_ms"]) / 1e3)
        for row in _csv(profiles / MEASURED.format("decode"))
        if float(row["context"]) >= 2997
    ]
    return prefill, decode


def _csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def _modelled_rows(name: str, profiles: Path) -> tuple[Rows, Rows]:
    prefill: Rows = []
    decode: Rows = []
    for row in _sweep(name, profiles):
        batch, tokens, seconds = row["batch"], row["isl"], row["ms"] / 1e3
        if row["phase"] == "prefill" and 128 <= tokens <= 32768:
            prefill.append((batch * tokens, batch * tokens**2, seconds))
        elif row["phase"] == "decode" and batch <= 256:
            decode.append((batch, batch * tokens, seconds))
    return prefill, decode


def _sweep(name: str, profiles: Path) -> list[dict[str, Any]]:
    """The rows of the modelled sweep that a profile's name stands for, if they fit in memory."""
    profile = PROFILES[name]
    chosen = (
        (pc.field("system") == name.split("-", 1)[0] + "_sxm")
        & (pc.field("backend") == "vllm")
        & (pc.field("model") == profile.model.rsplit("/", 1)[-1].removesuffix("-Instruct"))
        & (pc.field("tp") == profile.accelerators)
        & pc.field("fits_in_memory")
    )
    return pq.read_table(profiles / MODELLED, filters=chosen).to_pylist()


def _line(of: str, cost: PrefillCost | DecodeCost, mean: float, worst: float, rest: str) -> str:
    fixed, each, more = astuple(cost)
    costs = f"{fixed * 1e3:8.3f} ms {each * 1e6:8.3f} us {more * 1e9:8.4f} ns"
    return f"  {of:15} {costs}   error {mean:5.1%}, worst {worst:5.1%}{rest}"


def _print(name: str, again: Refit | None) -> None:
    print(name)
    stored = PROFILES[name]
    error = stored.fit_error
    if again is None or error is None:
        print("  published coefficients, no samples")
        return
    print(_line("prefill stored", stored.prefill, error.prefill_mean, error.prefill_max, ""))
    print_fit("prefill fitted", again.prefill)
    print(_line("decode stored", stored.decode, error.decode_mean, error.decode_max, ""))
    print_fit("decode fitted", again.decode)


def print_fit(of: str, fit: Fit[PrefillCost] | Fit[DecodeCost]) -> None:
    """Print a fit and its errors in a line."""
    rest = "" if fit.holdout_error is None else f", held out {fit.holdout_error:5.1%}"
    print(_line(of, fit.cost, fit.mean_error, fit.max_error, rest))


def main() -> None:
    """Print every profile."""
    data = os.environ.get("TANDEM_DATA")
    if data is None:
        sys.exit("TANDEM_DATA: not set: the folder that holds profiles/")
    profiles = Path(data) / "profiles"
    for name in PROFILES:
        _print(name, refit(name, profiles))


if __name__ == "__main__":
    main()
