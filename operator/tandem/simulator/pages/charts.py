"""The one look of every chart: axes, lines, bars and marks on a transparent ground.

Text and grid take the colours of the page by `theme.js`; the marks' own colours read on light and on dark.
A legend is HTML beside its chart, so that it wraps on a narrow screen and a screen reader reads it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from bokeh.models import (
    BasicTicker,
    BoxZoomTool,
    ColumnDataSource,
    DataRange1d,
    FixedTicker,
    HoverTool,
    NumeralTickFormatter,
    Range1d,
    ResetTool,
)
from bokeh.models.annotations import Span
from bokeh.plotting import figure as bokeh_figure

from tandem.simulator.pages.verdicts import REASONS

BLUE, ORANGE, PURPLE, YELLOW, RED, GREY = (
    "#3b82c4",
    "#c8701a",
    "#8e6bbf",
    "#b08d1e",
    "#cc4455",
    "#7b8494",
)
LIGHT_BLUE, GREEN, BROWN = "#7fb2de", "#2f9a72", "#a0623d"
PART_COLOURS = (BLUE, LIGHT_BLUE, PURPLE, YELLOW)  # of verdicts.PARTS
_ENDS = (ORANGE, RED, GREY, BROWN)
MISS_COLOURS = dict(zip(REASONS[1:], (*PART_COLOURS, *_ENDS), strict=True))
_DASH: Mapping[str, Any] = {"line": "solid", "dashes": [5, 4], "dots": [2, 3]}  # by a mark's shape
_MINUTE_S, _HOUR_S = 60.0, 3600.0
_MOST_MINUTES = 180
_FONT = "12px"

Plot = bokeh_figure
Drawn: TypeAlias = Any  # a GlyphRenderer, which is generic for type checkers alone
Column = Sequence[object] | np.ndarray
Told = Mapping[str, tuple[str, Column]]  # hover lines: name: (format, values)


@dataclass(frozen=True, slots=True)
class Mark:
    """One entry of a legend; `shape` is line, dashes, dots, area, triangle or diamond."""

    name: str
    colour: str
    shape: str = "line"


@dataclass(frozen=True, slots=True)
class Chart:
    """A plot and what it shows in a sentence, which also is its text for a screen reader."""

    key: str
    title: str
    finding: str
    plot: Plot
    legend: tuple[Mark, ...] = ()


class TimeAxis:
    """One time axis that all charts of a page share: minutes, or hours of a longer run."""

    def __init__(self, duration_s: float) -> None:
        long = duration_s > _MOST_MINUTES * _MINUTE_S
        self.unit_s = _HOUR_S if long else _MINUTE_S
        self.label = f"{'hours' if long else 'minutes'} from the start of the trace"
        end = max(duration_s, 1.0) / self.unit_s
        self.range = Range1d(start=0, end=end, bounds=(0, end))

    def of(self, t_s: np.ndarray | float) -> np.ndarray:
        """Seconds in the axis' unit."""
        return np.asarray(t_s, dtype=np.float64) / self.unit_s


def over_time(axis: TimeAxis, y_label: str, *, height: int = 240) -> Plot:
    """An empty chart over time; dragging zooms all charts of the page together."""
    plot = blank(axis.label, y_label, height=height, x_range=axis.range)
    plot.add_tools(BoxZoomTool(dimensions="width"), ResetTool())
    return plot


def blank(x_label: str, y_label: str, *, height: int = 280, **how: Any) -> Plot:
    """An empty chart as wide as its place."""
    plot = bokeh_figure(
        height=height,
        sizing_mode="stretch_width",
        min_width=240,
        tools="",
        toolbar_location="above",
        x_axis_label=x_label,
        y_axis_label=y_label,
        background_fill_color=None,
        border_fill_color=None,
        outline_line_color=None,
        **how,
    )
    plot.toolbar.logo = None
    plot.toolbar.autohide = True
    plot.xgrid.grid_line_color = None
    for axis in plot.axis:
        axis.major_label_text_font_size = axis.axis_label_text_font_size = _FONT
        axis.axis_label_text_font_style = "normal"
        axis.axis_line_color = axis.minor_tick_line_color = None
    return plot


def in_percent(plot: Plot, digits: int = 0) -> None:
    """Label the y axis in percent."""
    plot.yaxis.formatter = NumeralTickFormatter(format=f"0.{'0' * digits} %" if digits else "0 %")


def ticks(axis: Any, labels: Mapping[float, str]) -> None:
    """Ticks at these places, with these words."""
    axis.ticker = FixedTicker(ticks=list(labels))
    axis.major_label_overrides = dict(labels)


def whole_ticks(plot: Plot) -> None:
    """Ticks of a count: no half of a replica."""
    plot.yaxis.ticker = BasicTicker(min_interval=1, num_minor_ticks=0)


def target(plot: Plot, value: float, *, dimension: Literal["width", "height"] = "width") -> Mark:
    """A dashed line at a target."""
    plot.add_layout(
        Span(location=value, dimension=dimension, line_color=RED, line_dash=[6, 4], line_width=1.5)
    )
    return Mark("target", RED, "dashes")


def upright(plot: Plot, x: float, mark: Mark) -> Mark:
    """An upright line at a value of x."""
    look = {"line_color": mark.colour, "line_dash": _DASH[mark.shape], "line_width": 1.5}
    plot.add_layout(Span(location=x, dimension="height", **look))
    return mark


def diamond(plot: Plot, x: float, y: float, colour: str) -> None:
    """One point that stands apart."""
    plot.scatter([x], [y], marker="diamond", size=15, color=None, line_color=colour, line_width=2)


def bars(
    plot: Plot,
    x: np.ndarray,
    width: float,
    stacks: Mapping[str, tuple[str, np.ndarray]],
    told: Told,
) -> tuple[Mark, ...]:
    """Stacked bars of `{name: (colour, heights)}`; `told` are hover lines, `{name: (format, values)}`."""
    columns = {name: np.nan_to_num(heights) for name, (_, heights) in stacks.items()}
    total = np.sum(list(columns.values()), axis=0)
    source = ColumnDataSource({"x": x, "total": total, **columns, **_values(told)})
    colours = [colour for colour, _ in stacks.values()]
    plot.vbar_stack(list(stacks), x="x", width=width * 0.92, source=source, color=colours)
    plot.y_range = DataRange1d(start=0)
    whole = plot.vbar(x="x", top="total", width=width, source=source, alpha=0)
    _hover(plot, whole, told)
    return tuple(Mark(name, colour, "area") for name, (colour, _) in stacks.items())


def line(
    plot: Plot,
    x: np.ndarray,
    y: np.ndarray,
    mark: Mark,
    told: Told,
    *,
    dots: bool = False,
) -> Mark:
    """A line, dashed where its mark is, with dots where few points need them."""
    source = ColumnDataSource({"x": x, "y": y, **_values(told)})
    drawn: Drawn
    drawn = plot.line(
        "x", "y", source=source, color=mark.colour, line_width=2, line_dash=_DASH[mark.shape]
    )
    if dots:
        drawn = plot.scatter("x", "y", source=source, color=mark.colour, size=6)
    _hover(plot, drawn, told)
    return mark


def steps(plot: Plot, x: np.ndarray, y: np.ndarray, mark: Mark) -> Mark:
    """A line that holds each value until the next."""
    plot.step(x, y, mode="after", color=mark.colour, line_width=2, line_dash=_DASH[mark.shape])
    return mark


def triangles(
    plot: Plot,
    x: np.ndarray,
    y: np.ndarray,
    *,
    up: np.ndarray,
    colour: str,
    told: Told,
) -> None:
    """Marks that point up or down."""
    shapes = np.where(up, "triangle", "inverted_triangle").tolist()
    source = ColumnDataSource({"x": x, "y": y, "shape": shapes, **_values(told)})
    drawn = plot.scatter("x", "y", marker="shape", source=source, size=9, color=colour)
    _hover(plot, drawn, told)


def _values(told: Told) -> dict[str, Column]:
    return {name: values for name, (_, values) in told.items()}


def _hover(plot: Plot, drawn: Drawn, told: Told) -> None:
    """Tell the values under the pointer; texts are escaped by Bokeh."""
    if told:
        lines = [(name, f"@{{{name}}}{form}") for name, (form, _) in told.items()]
        tool = HoverTool(renderers=[drawn], tooltips=lines, visible=False)
        plot.add_tools(tool)
