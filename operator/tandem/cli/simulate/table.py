"""A report as a person reads it, and the progress of a run."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from tandem.planner.spec import Slo

_ROWS = {
    "ttft_s": "TTFT",
    "tpot_s": "TPOT",
    "itl_s": "ITL",
    "e2e_s": "E2E",
    "encode_s": "encode",
    "queue_s": "queue",
    "transfer_s": "transfer",
}
_COLUMNS = ("mean", "p50", "p90", "p95", "p99")
_LATEST = 10  # decisions shown; the JSON has them all


@contextmanager
def progress(*, shown: bool) -> Iterator[Callable[[float], None]]:
    """A bar on stderr while a run lasts; yields what takes the share that is done."""
    bar = Progress(
        TextColumn("simulating"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=not shown,
        transient=True,
    )
    with bar:
        task = bar.add_task("simulate", total=1.0)
        yield lambda share: bar.update(task, completed=share)


def show(figures: Mapping[str, Any], slo: Slo) -> None:
    """Print a report."""
    console = Console(highlight=False)
    for line in _summary(figures, slo):
        console.print(line, markup=False, soft_wrap=True)
    console.print(_latencies(figures))
    for line in _decisions(figures["decisions"]):
        console.print(line, markup=False, soft_wrap=True)


def _summary(figures: Mapping[str, Any], slo: Slo) -> Iterator[str]:
    unfinished = figures["requests"] - figures["finished"] - figures["refused"]
    yield (
        f"{figures['trace']}: {figures['requests']} requests in {figures['duration_s']:.0f} s, "
        f"{figures['finished']} finished, {figures['refused']} refused, {unfinished} cut off"
    )
    if (stopped_s := figures["interrupted_at_s"]) is not None:
        yield f"stopped at {stopped_s:.0f} s; what had not come or ended then counts as cut off"
    yield (
        f"attainment {figures['attainment']:.2%} (TTFT {slo.ttft_s:g} s and "
        f"TPOT {slo.tpot_s * 1000:g} ms), goodput {figures['goodput_rps']:.2f} requests/s"
    )
    replicas = ", ".join(
        f"{role} {count['mean']:.2f} (at most {count['max']})"
        for role, count in figures["replicas"].items()
    )
    yield f"{figures['policy']} on {figures['profile']}: {replicas}"
    yield f"{figures['gpu_hours']:.2f} GPU-hours, cost {figures['cost']:.2f}"
    yield f"simulated in {figures['wall_s']:.1f} s, {figures['requests_per_s']:.0f} requests/s"


def _latencies(figures: Mapping[str, Any]) -> Table:
    rows = Table(box=None, pad_edge=False)
    rows.add_column("milliseconds")
    for column in _COLUMNS:
        rows.add_column(column, justify="right")
    for key, name in _ROWS.items():
        if key == "encode_s" and figures[key]["mean"] is None:
            continue  # no encode pods
        rows.add_row(name, *(_milliseconds(figures[key][column]) for column in _COLUMNS))
    return rows


def _milliseconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds * 1000:.1f}"


def _decisions(changes: list[Mapping[str, Any]]) -> Iterator[str]:
    if len(changes) > _LATEST:
        yield f"{len(changes)} decisions, the last {_LATEST} (--json has all):"
    for change in changes[-_LATEST:]:
        yield (
            f"{change['t_s']:8.0f} s  {change['role']} {change['from']} -> {change['to']}: "
            f"{change['reason']}"
        )
