"""A league as a person reads it, and its progress."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from tandem.simulator.league.outcome import Baseline, Frontier, Outcome

_SPEED_OVER_S = 120.0  # runs differ in length: the time left is of the last minutes' speed


@contextmanager
def progress(*, shown: bool) -> Iterator[Callable[[int, int], None]]:
    """A bar on stderr; yields what takes the runs that are done and those that are known of."""
    bar = Progress(
        TextColumn("runs"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(elapsed_when_finished=True),
        console=Console(stderr=True),
        disable=not shown,
        transient=True,
        speed_estimate_period=_SPEED_OVER_S,
    )
    with bar:
        task = bar.add_task("runs", total=None)
        yield lambda done, known: bar.update(task, completed=done, total=known)


def show(outcome: Outcome) -> None:
    """Print every trace's frontier, the cheapest first, with its baselines."""
    console = Console(highlight=False)
    asked = outcome.settings
    for trace in asked.traces:
        console.print(_trace(outcome, trace))
    console.print(
        f"GPU-hours at {asked.attainment:.2%} attainment, TPOT {asked.tpot_s * 1000:g} ms, "
        f"starting and draining pods too, {len(asked.seeds)} seed(s); "
        "- where it was never reached. +oracle: over the oracle's. Default: what the untuned policy reaches, "
        "and its GPU-hours.",
        markup=False,
        soft_wrap=True,
    )
    if not outcome.complete:
        console.print(
            "Stopped before its end: figures are of the runs that are done.", markup=False
        )


def _trace(outcome: Outcome, trace: str) -> Table:
    rows = Table(box=None, pad_edge=False, title=_title(outcome, trace), title_justify="left")
    for heading in ("policy", "queue"):
        rows.add_column(heading, no_wrap=True)
    for heading in ("GPU-hours", "95 %", "+oracle", "reached", "default", "hours"):
        rows.add_column(heading, justify="right", no_wrap=True)
    for name, of in (("floor", outcome.floor), ("oracle", outcome.oracle)):
        _baseline(rows, name, _only(of, trace))
    _baseline(rows, "static best", _only(outcome.static_best, trace))
    frontiers = [frontier for frontier in outcome.frontiers if frontier.trace == trace]
    for frontier in sorted(frontiers, key=_rank):
        _policy(rows, frontier)
    return rows


def _title(outcome: Outcome, trace: str) -> str:
    """The trace with its own TTFT target; none is known of one that nobody looked at yet."""
    own = next((load.ttft_s for load in outcome.loads if load.trace == trace), None)
    return trace if own is None else f"{trace}, TTFT {own:g} s"


def _rank(frontier: Frontier) -> tuple[float, float]:
    hours = frontier.gpu_hours_at_target
    return (float("inf") if hours is None else hours, -frontier.attainment_reached)


def _policy(rows: Table, frontier: Frontier) -> None:
    default, over = frontier.default, frontier.regret.oracle
    rows.add_row(
        frontier.policy,
        frontier.order,
        _hours(frontier.gpu_hours_at_target),
        _interval(frontier.ci95),
        "-" if over is None else f"{over:+.1%}",
        f"{frontier.attainment_reached:.2%}",
        "-" if default is None else f"{default.attainment:.2%}",
        "-" if default is None else _hours(default.gpu_hours),
    )


def _baseline(rows: Table, name: str, of: Baseline) -> None:
    rows.add_row(name, "", _hours(of.gpu_hours), _interval(of.ci95), "", "", "", "", style="dim")


def _only(baselines: Sequence[Baseline], trace: str) -> Baseline:
    return next(baseline for baseline in baselines if baseline.trace == trace)


def _hours(hours: float | None) -> str:
    return "-" if hours is None else f"{hours:.2f}"


def _interval(interval: tuple[float, float] | None) -> str:
    return "" if interval is None else f"{interval[0]:.1f}–{interval[1]:.1f}"
