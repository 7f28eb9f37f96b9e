"""An explanation for a person: one step of the chain after the other, within 80 columns, plain without colours."""

import datetime as dt
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.text import Text

from tandem.api.role import Role
from tandem.cli.explain import chain
from tandem.planner.explanation import Explanation

_EPOCH_S = 1e9  # a time before it is no date but a clock that began with its process
_INDENT = "  "


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    """A heading, lines of text, and a table below them, whose first column is words unless all are."""

    title: str
    lines: Sequence[str] = ()
    table: Sequence[chain.Row] = ()
    is_words: bool = False


def show(told: Explanation, name: str, *, now_s: float) -> None:
    """Print the whole chain."""
    console = Console(highlight=False, soft_wrap=True)
    console.print(Text(f"{name}: {_when(told, now_s)}policy {told.policy}", style="bold"))
    console.print(Text(_answer(told)))
    console.print(Text(chain.slo(told)))
    for step in _steps(told):
        console.print()
        console.print(Text(step.title, style="bold"))
        for line in (*_wrapped(step.lines, console.width), *_aligned(step)):
            console.print(Text(line))


def _steps(told: Explanation) -> Iterator[_Step]:
    """The chain; a step of which nothing is known is left out."""
    steps = (
        _Step(title="Seen", lines=chain.arrivals(told), table=chain.inputs(told)),
        _Step(title="Believed", lines=chain.facts(told), table=chain.state(told)),
        _Step(title=f"Unclamped: {chain.pair(told.wish)}", lines=chain.reasons(told)),
        _Step(title="Limits", lines=chain.limits(told)),
        _Step(title=f"Result: {chain.pair(told.result)}", table=chain.stages(told)),
        _Step(title="Outlook", table=chain.outcomes(told)),
        _Step(title="Runner-up", lines=chain.runner_up(told)),
        _Step(title="What would change it", table=chain.changes(told), is_words=True),
    )
    yield from (step for step in steps if step.lines or step.table)


def _wrapped(lines: Sequence[str], width: int) -> Iterator[str]:
    """Lines within the width; what goes on is indented further."""
    for line in lines:
        yield from textwrap.wrap(
            line,
            max(width, 40),
            initial_indent=_INDENT,
            subsequent_indent=2 * _INDENT,
            break_on_hyphens=False,
        )


def _aligned(step: _Step) -> Iterator[str]:
    """Rows of a table below each other; numbers end in line."""
    widths = [max(map(len, column)) for column in zip(*step.table, strict=True)]
    for row in step.table:
        cells = (
            cell.ljust(width) if step.is_words or not place else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        yield (_INDENT + "  ".join(cells)).rstrip()


def _answer(told: Explanation) -> str:
    """The result, and what there was before."""
    if told.before is None:
        return chain.pair(told.result)
    if all(told.before[role] == told.result[role] for role in Role):
        return f"{chain.pair(told.result)}, as before"
    asked = ", paused: nothing was asked of the cluster" if told.paused else ""
    return f"{chain.pair(told.before)} -> {chain.pair(told.result)}{asked}"


def _when(told: Explanation, now_s: float) -> str:
    if told.at_s is None or not _EPOCH_S <= told.at_s <= now_s + _EPOCH_S:
        return ""
    at = dt.datetime.fromtimestamp(told.at_s, dt.UTC)
    age = dt.timedelta(seconds=round(max(now_s - told.at_s, 0.0)))
    return f"{at:%Y-%m-%d %H:%M:%S} UTC, {age} ago, "
