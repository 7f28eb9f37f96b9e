"""Every query of every dashboard as Prometheus gets it, to run against a real one."""

from collections.abc import Iterator
from typing import NamedTuple

from tandem.dashboards import boards, promql
from tandem.dashboards.model import Board


class Query(NamedTuple):
    """One query; `may_be_empty` is why a healthy fleet under load may have no answer, or empty.

    All others have one once streamed answers of several tokens have ended within the window.
    """

    panel: str  # "Dashboard: Panel: line"
    promql: str
    may_be_empty: str


def queries(namespace: str, fleet: str, window: str = "1m") -> Iterator[Query]:
    """Queries for one fleet; `window` stands for what Grafana makes of the interval of scrapes."""
    chosen = {promql.WINDOW: window, "$namespace": namespace, "$fleet": fleet}
    for made in boards.ALL:
        for query in _of(made()):
            yield query._replace(promql=_filled(query.promql, chosen))


def _of(board: Board) -> Iterator[Query]:
    for panel in board.panels:
        for line in panel.lines:
            name = f"{board.title}: {panel.title}: {line.legend}"
            yield Query(name, line.promql, line.may_be_empty)
    for mark in board.marks:
        yield Query(f"{board.title}: {mark.name}", mark.promql, mark.may_be_empty)


def _filled(query: str, chosen: dict[str, str]) -> str:
    for name, value in chosen.items():
        query = query.replace(name, value)
    return query
