"""What a dashboard is made of, free of Grafana's own words: rows of panels of lines."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Look(StrEnum):
    """How a panel shows its lines; the values are Grafana's types of panels."""

    NUMBERS = "stat"
    LINES = "timeseries"
    STATES = "state-timeline"


class Unit(StrEnum):
    """What a value is counted in; the values are Grafana's ids."""

    NUMBER = "short"
    SECONDS = "s"
    SHARE = "percentunit"
    REQUESTS_PER_SECOND = "reqps"
    PER_SECOND = "cps"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One query and the name of what it gives.

    Attributes:
        promql: the query, with Grafana's variables in it.
        legend: the name, with `{{label}}` for a label's value.
        may_be_empty: why a healthy fleet under load may have no answer; empty where it always has one.
        target: drawn dashed, for it is what was asked for and not what was seen.

    """

    promql: str
    legend: str
    may_be_empty: str = ""
    target: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """From this value on (None: from the lowest) a number has this colour."""

    start: float | None
    colour: str


@dataclass(frozen=True, slots=True)
class State:
    """The word and the colour for one value."""

    value: int
    word: str
    colour: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One picture; `width` is in the grid's 24 columns, `from_zero` keeps 0 on the axis."""

    title: str
    text: str
    unit: Unit
    lines: Sequence[Line]
    look: Look = Look.LINES
    width: int = 8
    stacked: bool = False
    from_zero: bool = True
    steps: Sequence[Step] = ()
    states: Sequence[State] = ()


@dataclass(frozen=True, slots=True)
class Row:
    """Panels under one heading."""

    title: str
    panels: Sequence[Panel]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Moments that are marked on every panel: where the query has a sample."""

    name: str
    promql: str
    title: str
    colour: str
    may_be_empty: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """A choice at the top of a dashboard, from the values of a label."""

    name: str
    label: str
    query: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """One dashboard; `name` is that of its file and of its address."""

    name: str
    title: str
    text: str
    rows: Sequence[Row]
    variables: Sequence[Variable] = ()
    marks: Sequence[Mark] = ()
    tags: Sequence[str] = ("tandem",)

    @property
    def panels(self) -> list[Panel]:
        """Panels of every row, in their order."""
        return [panel for row in self.rows for panel in row.panels]
