"""A trace drawn on one page: rate and input per output over time, and how lengths are spread."""

from collections.abc import Iterator
from math import log10
from pathlib import Path

import numpy as np
from bokeh.models import DataRange1d

from tandem.cli.trace import table
from tandem.simulator.pages import charts, page
from tandem.simulator.pages.charts import Chart, Mark, TimeAxis
from tandem.simulator.pages.page import Card
from tandem.traces.columns import Columns, Ints, columns
from tandem.traces.model import Trace
from tandem.traces.statistics import Statistics, token_sums

_WINDOWS_S = (1.0, 10.0, 60.0, 600.0, 3600.0)
_MOST_WINDOWS = 400  # of a chart: one for each two pixels
_BINS = 60
_SECTIONS = {"summary": "Summary", "time": "Over time", "lengths": "Lengths"}


def write(path: Path, trace: Trace, figures: Statistics) -> None:
    """Write the page; raises OSError where it can't."""
    lengths = page.table(
        "Lengths in tokens",
        [(head, bool(index)) for index, head in enumerate(table.HEADS)],
        [
            ("input", *table.columns(figures.input_tokens)),
            ("output", *table.columns(figures.output_tokens)),
        ],
    )
    content = {
        "kind": "A trace of requests",
        "title": f"{trace.name} – trace",
        "heading": trace.name,
        "verdict": "",
        "warning": "",
        "sections": list(_SECTIONS.items()),
        "cards": [Card(*row) for row in table.rows(trace.name, figures)][1:],
        "lengths": lengths,
    }
    page.write(path, "trace.html", list(_charts(trace, figures)), content)


def _charts(trace: Trace, figures: Statistics) -> Iterator[Chart]:
    seen, axis = columns(trace), TimeAxis(trace.duration_s)
    yield _rate(seen, axis, trace.duration_s, figures)
    yield _ratio(seen, axis, trace.duration_s, figures)
    for side, tokens in (("input", seen.input_tokens), ("output", seen.output_tokens)):
        yield _histogram(side, tokens)


def _rate(seen: Columns, axis: TimeAxis, span_s: float, figures: Statistics) -> Chart:
    window_s = _window_s(span_s)
    count = max(1, int(span_s // window_s))
    places = np.floor(seen.arrival_s / window_s)
    counts = np.bincount(places[places < count].astype(int), minlength=count)
    begins = axis.of(np.arange(count) * window_s)
    rates = counts / window_s
    plot = charts.over_time(axis, "requests/s")
    plot.y_range = DataRange1d(start=0)
    mark = charts.steps(plot, begins, rates, Mark("arrivals", charts.BLUE))
    finding = (
        f"{table.number(figures.rate_rps)} requests/s on average, "
        f"{table.number(figures.peak_rps)} in the busiest 10 s; one step each {window_s:g} s."
    )
    return Chart("rate", "Arrival rate", finding, plot, (mark,))


def _ratio(seen: Columns, axis: TimeAxis, span_s: float, figures: Statistics) -> Chart:
    window_s = max(60.0, _window_s(span_s))
    begins_s, inputs, outputs = token_sums(seen, window_s)
    ratios = np.full(int(span_s // window_s) + 1, np.nan)  # a gap where nothing arrives
    ratios[np.rint(begins_s / window_s).astype(int)] = inputs / outputs
    middles = axis.of((np.arange(len(ratios)) + 0.5) * window_s)
    plot = charts.over_time(axis, "input tokens per output token")
    told = {"ratio": ("{0.00}", ratios)}
    mark = Mark("input per output", charts.ORANGE)
    charts.line(plot, middles, ratios, mark, told, dots=len(ratios) < _BINS)
    ratio = figures.input_per_output
    finding = (
        f"{table.number(ratio.mean)} over all, {table.number(ratio.least)} to "
        f"{table.number(ratio.most)} by 10 minutes; one point each {window_s:g} s that has requests."
    )
    return Chart("ratio", "Prefill to decode demand", finding, plot, (mark,))


def _histogram(side: str, tokens: Ints) -> Chart:
    """Bars of equal width on a logarithmic axis, from the shortest to the longest."""
    low, high = log10(tokens.min()), log10(tokens.max() + 1)
    heights, edges = np.histogram(np.log10(tokens), bins=_BINS, range=(low, high))
    plot = charts.blank(f"{side} tokens (each bar wider by the same factor)", "requests")
    begins, ends = np.rint(10 ** edges[:-1]), np.rint(10 ** edges[1:])
    middles = (edges[:-1] + edges[1:]) / 2
    told = {"from": ("{0,0}", begins), "to": ("{0,0}", ends), "requests": ("{0,0}", heights)}
    stacks = {"requests": (charts.BLUE if side == "input" else charts.PURPLE, heights)}
    charts.bars(plot, middles, float(edges[1] - edges[0]), stacks, told)
    whole = range(int(np.floor(low)), int(np.ceil(high)) + 1)
    charts.ticks(plot.xaxis[0], {float(power): f"{10**power:,}" for power in whole})
    finding = (
        f"{tokens.min():,} to {tokens.max():,} tokens, half of them up to {np.median(tokens):,.0f}."
    )
    return Chart(f"{side}-lengths", f"{side.capitalize()} lengths", finding, plot)


def _window_s(span_s: float) -> float:
    """The shortest round window of which a chart holds not too many."""
    return next((w for w in _WINDOWS_S if span_s / w <= _MOST_WINDOWS), span_s / _MOST_WINDOWS)
