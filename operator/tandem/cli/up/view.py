"""What a person sees while a fleet is up: a live view in a terminal, plain lines elsewhere."""

from collections.abc import Sequence
from datetime import timedelta

from rich.console import Console, Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from tandem.api.role import Role
from tandem.cli.up.history import History, attainment
from tandem.cli.up.load import Felt
from tandem.controller.loop import Change
from tandem.planner.observation import Figure, PodCounts, Reading

_RECENT_S = 60.0
_SHOWN_CHANGES = 6


def screen(history: History, felt: Sequence[Felt], now_s: float, title: str) -> Group:
    """The whole live view."""
    return Group(
        Panel(_traffic(history, felt, now_s), title=title, title_align="left"),
        _fleet(history),
        _decisions(history),
        Text("Ctrl-C ends it; nothing stays behind.", style="dim"),
    )


def line(history: History, felt: Sequence[Felt], now_s: float) -> str:
    """One status line for a log."""
    counts = history.last.observation.pods if history.last and history.last.observation else {}
    pods = "  ".join(f"{role} {_pods(counts.get(role, PodCounts()))}" for role in Role)
    return f"{clock(now_s)}  {pods}  {_numbers(history, felt, now_s)}"


def change_line(history: History, change: Change) -> str:
    """One decision for a log."""
    at = clock(change.at_s - history.started_s)
    return f"{at}  {change.role} {change.before} -> {change.after}: {change.reason}"


def clock(seconds: float) -> str:
    """Elapsed time as 0:01:05."""
    return str(timedelta(seconds=int(max(0.0, seconds))))


def _traffic(history: History, felt: Sequence[Felt], now_s: float) -> Text:
    return Text(f"{clock(now_s)}   {_numbers(history, felt, now_s)}")


def _numbers(history: History, felt: Sequence[Felt], now_s: float) -> str:
    recent = attainment(felt, history.slo, now_s - _RECENT_S, now_s)
    traffic = (
        history.last.observation.traffic if history.last and history.last.observation else None
    )
    rate = queue = "-"
    if traffic is not None:
        rate = _per_second(traffic.arrivals, traffic.interval_s)
        queue = _plain(traffic.queued_requests)
    share = "-" if recent is None else f"{recent:.1%}"
    return f"arrivals {rate}/s   queue {queue}   attainment of the last minute {share}"


def _fleet(history: History) -> Table:
    table = Table("role", "ready/desired", "starting", "draining", "why now", expand=True)
    tick = history.last
    if tick is None or tick.observation is None or tick.plan is None:
        return table
    for role, counts in tick.observation.pods.items():
        decision = tick.plan.roles.get(role)
        table.add_row(
            role.value,
            f"{counts.ready}/{counts.desired}",
            str(counts.starting),
            str(counts.draining),
            decision.reason if decision else "",
        )
    return table


def _decisions(history: History) -> Group:
    shown = [Text(change_line(history, c)) for c in history.changes[-_SHOWN_CHANGES:]]
    if history.last_error:
        shown.append(Text(history.last_error, style="red"))
    if history.last:
        shown.extend(Text(pod.message, style="red") for pod in history.last.pods if pod.message)
    return Group(Text("decisions", style="bold"), *shown)


def _pods(counts: PodCounts) -> str:
    return f"{counts.ready}/{counts.desired}"


def _plain(reading: Reading) -> str:
    return f"{reading.value:.0f}" if isinstance(reading, Figure) else "?"


def _per_second(reading: Reading, interval_s: float) -> str:
    if not isinstance(reading, Figure) or interval_s <= 0:
        return "?"
    return f"{reading.value / interval_s:.1f}"


def print_summary(console: Console, found: dict[str, object]) -> None:
    """The end of a run, readable."""
    table = Table("summary", "", title_justify="left")
    for name, value in found.items():
        if name != "changes":
            table.add_row(name, _cell(value))
    console.print(table)
    changes = found["changes"]
    assert isinstance(changes, list)
    for change in changes:
        at = clock(change["t_s"])
        console.print(
            f"{at}  {change['role']} {change['from']} -> {change['to']}: {change['reason']}",
            soft_wrap=True,
        )


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, dict):
        return "  ".join(f"{key} {_cell(inner)}" for key, inner in value.items())
    return "-" if value is None else str(value)
