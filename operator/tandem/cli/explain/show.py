"""An explanation for a person: one step of the chain after the other, within 80 columns, plain without colours."""

import datetime as dt
from collections.abc import Iterable, Iterator

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from tandem.api.role import Role
from tandem.cli.explain import chain
from tandem.planner.explanation import Explanation

_EPOCH_S = 1e9  # a time before it is no date but a clock that began with its process
_INDENT = 2

Rows = Iterable[tuple[str, ...]]


def show(told: Explanation, name: str, *, now_s: float) -> None:
    """Print the whole chain."""
    console = Console(highlight=False)
    console.print(Text(f"{name}: {_when(told, now_s)}policy {told.policy}", style="bold"))
    console.print(Text(_answer(told)))
    console.print(Text(chain.slo(told)))
    for title, lines, table, right in _steps(told):
        console.print()
        console.print(Text(title, style="bold"))
        for line in lines:
            console.print(Padding(Text(line), (0, 0, 0, _INDENT), expand=False))
        if table:
            console.print(Padding(_table(table, right), (0, 0, 0, _INDENT), expand=False))


def _steps(
    told: Explanation,
) -> Iterator[tuple[str, list[str], list[tuple[str, ...]], frozenset[int]]]:
    """Title, lines, table and which of its columns are numbers; steps that have nothing are left out."""
    state, stages = chain.state(told), chain.stages(told)
    outcomes, limits = chain.outcomes(told), chain.limits(told)
    yield from (
        step
        for step in (
            ("Seen", chain.arrivals(told), chain.inputs(told), frozenset({1, 2})),
            ("Believed", chain.facts(told), state, frozenset({1, 2, 3, 4, 5, 6})),
            (f"Unclamped: {chain.pair(told.wish)}", chain.reasons(told), [], frozenset()),
            ("Limits", limits, [], frozenset()),
            (f"Result: {chain.pair(told.result)}", [], stages, frozenset({1, 2, 3})),
            ("Outlook", [], outcomes, frozenset({1, 2, 3})),
            ("Runner-up", chain.runner_up(told), [], frozenset()),
            ("What would change it", [], chain.changes(told), frozenset()),
        )
        if step[1] or step[2] or step[0].startswith(("Unclamped", "Result"))
    )


def _table(rows: Rows, right: frozenset[int]) -> Table:
    """Columns without lines; the first row names them where it has names."""
    table = Table.grid(padding=(0, 2, 0, 0), pad_edge=False)
    first, *rest = rows
    for place in range(len(first)):
        table.add_column(justify="right" if place in right else "left")
    for row in (first, *rest):
        table.add_row(*(Text(cell) for cell in row))
    return table


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
