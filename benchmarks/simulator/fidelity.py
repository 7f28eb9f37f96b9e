"""How far simulated engines are from measured ones, and where the bars are not met and why.

    TANDEM_DATA=... python -m benchmarks.simulator.fidelity

1. Interpolation: Dynamo's measured points of Llama-3.1-8B FP8 on an H200, every second one hidden. The
   table of the others predicts it; so does the planner's three-term form, fitted to the same.
2. Aggregated engines: measured end-to-end rows of engines whose modelled step times are in the sweep,
   at the row's concurrency. Once with the one calibration that Tandem ships (`MODELLED`: fitted
   to none of these), once with one fitted to half of the rows and judged on the other half.
3. Disaggregated engines: the five rows whose model and system are in the sweep.

The rows hold means: a P99 cannot be judged by them.
"""

import os
import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import mean

import numpy as np
from benchmarks.simulator.silicon import (
    Measured,
    Simulated,
    aggregated,
    disaggregated,
    engine_profile,
)
from benchmarks.simulator.silicon import rows as silicon_rows
from scipy.optimize import nnls

from tandem.api.role import Role
from tandem.perf.fit import fit_decode, fit_prefill
from tandem.perf.from_aiconfigurator import MODELLED
from tandem.perf.library import profile
from tandem.perf.step_times import StepTimes
from tandem.perf.table import AS_TABLED, Calibration, TableTimes
from tandem.perf.table_file import find_points, find_table

DYNAMO = "dynamo_h200_llama31-8b-fp8_tp1_prefill.csv"
DYNAMO_PROFILE = profile("h200-llama-3.1-8b-fp8-tp1")
SWEEP = "aic_0.12.0_sweep_bf16.parquet"
TABLED = {("bf16", "trtllm"), ("bf16", "vllm")}  # what the sweep has of an H100
BARS = {"TPOT": 0.02, "E2E": 0.05, "TTFT": 0.10}
COLUMNS = "  ".join(f"{name} (<= {bar:.0%})" for name, bar in BARS.items())

IF = {"trtllm": "one fewer is admitted", "vllm": "steps have 4,096 tokens"}
WHY_TTFT = """\
  TPOT: kernels that no table has (all-reduce at tp 4 and 8 above all), and rows that are nearly out of KV.
  TTFT: a tenth of the requests meet all others at once, which makes it rise with the concurrency as it was
  measured, and prefill is 7 % off its table (35 % without that burst). What is left hangs on which prompts
  share a step, which the rows do not say: with few users their prompts share one step of 8,192 tokens here and
  for ever after, measured ones were apart; with steps of 4,096 tokens vLLM's TTFT is within 13 to 20 %.
  TRT-LLM's rises with the output by about E2E / concurrency, as if one waited for a place; admitting one
  fewer shows that rise, not its level."""
WHY_DYNAMO = """\
  Dynamo measured at most 50k prompt tokens/s on this engine. Rows that imply more must have found prompts
  cached or run below the concurrency they name; the simulator runs what they name."""
WHY_DISAGGREGATED = """\
  Not comparable: FP8 against BF16 (prefill of up to half the time), and the load is not recorded: workers x
  batch is their limit. 224 sequences of 4,500 tokens (BF16 KV) are 66 GB a GPU and step, 20 ms at an H100's
  3.35 TB/s; 8.7 ms were measured. The three rows with seconds of TTFT and a TPOT of 112 ms and more look overloaded."""

Group = tuple[str, str, int]  # model, backend, tensor parallelism


# -- interpolation of Dynamo's points ---------------------------------------------------------------


def interpolation(folder: Path) -> None:
    """Print the errors at hidden points, of a table and of three terms."""
    points = find_points(folder / DYNAMO, DYNAMO_PROFILE)
    assert points is not None, "Dynamo's files are of one engine"
    (prefill, prefill_hidden), (decode, decode_hidden) = (
        (each[::2], each[1::2]) for each in (points[0], sorted(points[1], key=lambda p: p[1]))
    )
    table = TableTimes(prefill, decode, "shown")
    cost = fit_prefill([(tokens, tokens**2, s) for _, tokens, s in prefill]).cost
    decoding = fit_decode([(batch, batch * tokens, s) for batch, tokens, s in decode]).cost
    print("interpolation of Dynamo's measured points, every second one hidden")
    asked = [(0, tokens) for _, tokens, _ in prefill_hidden]
    truth = [s for _, _, s in prefill_hidden]
    _hidden("TTFT, table", [table.step_s([one], 0, 0) for one in asked], truth)
    _hidden("TTFT, three terms", [cost.batch_s([one]) for one in asked], truth)
    steps = [(batch, batch * tokens) for batch, tokens, _ in decode_hidden]
    truth = [s for _, _, s in decode_hidden]
    _hidden("ITL, table", [table.step_s([], *step) for step in steps], truth)
    _hidden("ITL, three terms", [decoding.step_s(*step) for step in steps], truth)


def _hidden(of: str, found: Sequence[float], truth: Sequence[float]) -> None:
    errors = [abs(a / b - 1) for a, b in zip(found, truth, strict=True)]
    print(f"  {of:18} mean {mean(errors):6.1%}, worst {max(errors):6.1%} of {len(errors)} points")


# -- aggregated engines -------------------------------------------------------------------------------


def aggregated_engines(folder: Path) -> None:
    """Print the errors of each engine's rows, with the shipped calibration and with one of its own."""
    print(f"\naggregated engines, mean error of means{'':21}rows  {COLUMNS}")
    for (model, backend, tp), found in _groups(folder).items():
        name = f"{model.rsplit('/', 1)[-1]} {found[0].system} {backend} tp{tp}"
        times = _tables(folder, found[0])
        _errors(f"{name}, shipped calibration", found, times(MODELLED))
        train, test = found[::2], found[1::2]
        own = fitted(train, times)
        _errors("  own, other half", test, times(own))
        _errors(f"  own, other half, if {IF[backend]}", test, times(own), _limits)
        print(
            f"    own: prefill x {own.prefill_scale:.3f}, decode x {own.decode_scale:.3f}"
            f" + {own.decode_offset_s * 1e3:.2f} ms"
        )
    print(WHY_TTFT)


def _limits(row: Measured) -> dict[str, int]:
    """What the rows' TTFT speaks for; see `WHY_TTFT`."""
    if row.backend == "trtllm":
        return {"batch_cap": row.concurrency - 1}
    return {"batch_tokens": 4096}


def _as_by_default(_: Measured) -> dict[str, int]:
    return {}


def _groups(folder: Path) -> dict[Group, list[Measured]]:
    """Aggregated rows whose engine is in the sweep, in order of load."""
    groups: dict[Group, list[Measured]] = defaultdict(list)
    for row in silicon_rows(folder):
        if (row.precision, row.backend) in TABLED and not row.workers[0]:
            groups[row.model, row.backend, row.tp[1]].append(row)
    return {
        group: sorted(found, key=lambda r: (r.input_tokens, r.output_tokens, r.concurrency))
        for group, found in sorted(groups.items())
        if _in_sweep(folder, found[0])
    }


def _in_sweep(folder: Path, row: Measured) -> bool:
    engine = engine_profile(row, row.tp[1])
    points = find_points(folder / SWEEP, engine, backend=row.backend)
    return points is not None


def _tables(folder: Path, row: Measured) -> Callable[[Calibration], TableTimes]:
    """The table of a row's engine, by its calibration."""
    points = find_points(folder / SWEEP, engine_profile(row, row.tp[1]), backend=row.backend)
    assert points is not None, "chosen because it is there"
    return lambda calibration: TableTimes(*points, SWEEP, calibration)


def fitted(rows: Sequence[Measured], times: Callable[[Calibration], StepTimes]) -> Calibration:
    """The calibration by which simulated TPOT meets measured, by least squares on relative error.

    What a closed loop of equal requests does in which iteration does not depend on how long they take,
    so its TPOT is linear in the scales; a decode offset adds to every token.
    """
    matrix = []
    for row in rows:
        once, prefill, decode = (
            aggregated(row, times(calibration)).tpot_s
            for calibration in (
                AS_TABLED,
                Calibration(prefill_scale=2.0),
                Calibration(decode_scale=2.0),
            )
        )
        matrix.append([prefill - once, decode - once, 1.0])
    measured = np.array([row.tpot_s for row in rows])
    scale = np.array([1.0, 1.0, 1e-3])
    found, _ = nnls(np.array(matrix) * scale / measured[:, None], np.ones(len(rows)))
    prefill_scale, decode_scale, offset_s = (found * scale).tolist()
    return Calibration(
        prefill_scale=prefill_scale, decode_scale=decode_scale, decode_offset_s=offset_s
    )


def _errors(
    name: str,
    rows: Sequence[Measured],
    times: StepTimes,
    limits: Callable[[Measured], dict[str, int]] = _as_by_default,
) -> None:
    pairs = [(row, aggregated(row, times, **limits(row))) for row in rows]
    print(f"  {name:56} {len(rows):4}  {_cells(pairs)}")


def _cells(pairs: Sequence[tuple[Measured, Simulated]]) -> str:
    errors = {
        "TPOT": mean(abs(found.tpot_s / row.tpot_s - 1) for row, found in pairs),
        "E2E": mean(abs(_e2e_s(row, found) / row.e2e_s - 1) for row, found in pairs),
        "TTFT": mean(abs(found.ttft_s / row.ttft_s - 1) for row, found in pairs),
    }
    return "  ".join(
        f"{error:6.1%} {'met   ' if error <= BARS[name] else 'missed'}"
        for name, error in errors.items()
    )


def _e2e_s(row: Measured, found: Simulated) -> float:
    return found.ttft_s + found.tpot_s * (row.output_tokens - 1)


# -- other precisions, and disaggregated engines ------------------------------------------------------


def measured_table(folder: Path) -> None:
    """Print the rows of the engine that Dynamo measured, under its table as it stands."""
    times = find_table(folder / DYNAMO, DYNAMO_PROFILE)
    assert times is not None, "Dynamo's files are of one engine"
    found = [
        row
        for row in silicon_rows(folder)
        if row.model == DYNAMO_PROFILE.model and row.tp == (0, DYNAMO_PROFILE.accelerators)
    ]
    print(f"\n{DYNAMO_PROFILE.model}, aggregated, vLLM, under Dynamo's measured table")
    for row in found:
        print(f"  {_line(row, aggregated(row, times))}  {_prompt_rate(row)}")
    print(WHY_DYNAMO)


def _prompt_rate(row: Measured) -> str:
    """Prompt tokens/s that a row implies, by Little's law."""
    rate = row.concurrency * row.input_tokens / row.e2e_s
    return f"implies {rate / 1e3:4.0f}k prompt tokens/s"


def disaggregated_engines(folder: Path) -> None:
    """Print the rows with prefill and decode workers whose model and system are in the sweep."""
    print("\ndisaggregated, FP8 measured, BF16 tabled (vLLM's kernels, shipped calibration)")
    for row in silicon_rows(folder):
        if row.workers[0]:
            times = {
                role: _role_times(folder, row, tp) for role, tp in zip(Role, row.tp, strict=True)
            }
            print(
                f"  {row.backend:6} {row.workers[0]} x tp{row.tp[0]} + {row.workers[1]} x tp{row.tp[1]}"
            )
            print(f"    {_line(row, disaggregated(row, times))}")
    print(WHY_DISAGGREGATED)


def _role_times(folder: Path, row: Measured, tp: int) -> StepTimes:
    times = find_table(folder / SWEEP, engine_profile(row, tp), calibration=MODELLED)
    assert times is not None, "the sweep has Qwen3-32B on H100 at 1, 2, 4 and 8"
    return times


def _line(row: Measured, found: Simulated) -> str:
    load = f"{row.input_tokens:5} + {row.output_tokens:4} x {row.concurrency:4}"
    ttft = f"TTFT {found.ttft_s * 1e3:6.0f} of {row.ttft_s * 1e3:6.0f} ms"
    return f"{load}  {ttft}  TPOT {found.tpot_s * 1e3:6.2f} of {row.tpot_s * 1e3:6.2f} ms"


def main() -> None:
    """Print all of it."""
    data = os.environ.get("TANDEM_DATA")
    if data is None:
        sys.exit("TANDEM_DATA: not set: the folder that holds profiles/")
    folder = Path(data) / "profiles"
    interpolation(folder)
    aggregated_engines(folder)
    measured_table(folder)
    disaggregated_engines(folder)


if __name__ == "__main__":
    main()
