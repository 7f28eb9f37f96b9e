"""The charts of one run, each with what it shows in a sentence."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from bokeh.models import Range1d

from tandem.api.role import Role
from tandem.planner.spec import Slo
from tandem.simulator.control import Change
from tandem.simulator.pages import charts, findings, wording
from tandem.simulator.pages.charts import Chart, Mark, TimeAxis
from tandem.simulator.pages.columns import Floats, Pods
from tandem.simulator.pages.minutes import MINUTE_S, Minutes
from tandem.simulator.pages.verdicts import PARTS, REASONS

ROLE_COLOURS = {Role.PREFILL: charts.BLUE, Role.DECODE: charts.ORANGE}
_FEW = 120  # points that a line marks with dots
_NINES = (50.0, 90.0, 99.0, 99.9, 99.99)
_TICKS_S = tuple(float(f"{digit}e{power}") for power in range(-4, 5) for digit in (1, 2, 5))
_QUANTILES = 1.0 - np.logspace(np.log10(0.9), -4, 120)  # from P10


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What the charts of a run are drawn from."""

    slo: Slo
    duration_s: float
    minutes: Minutes
    attainment: float
    pods: dict[Role, Pods]
    changes: tuple[Change, ...]
    ttft_s: Floats  # of finished requests
    tpot_s: Floats


def all_charts(shown: Shown) -> Iterator[Chart]:
    """In the order in which a person asks: was it held, why not, with what, where did the time go."""
    axis = TimeAxis(shown.duration_s)
    yield attainment(shown, axis)
    yield misses(shown, axis)
    yield arrivals(shown, axis)
    yield pods(shown, axis)
    yield ttft(shown, axis)
    yield tpot(shown, axis)
    yield percentiles("ttft", "TTFT", shown.ttft_s, shown.slo.ttft_s)
    yield percentiles("tpot", "TPOT", shown.tpot_s, shown.slo.tpot_s)


def attainment(shown: Shown, axis: TimeAxis) -> Chart:
    """Share of each minute's arrivals that met both targets."""
    minutes, known = shown.minutes, shown.minutes.arrivals > 0
    plot = charts.over_time(axis, "attainment")
    low = float(np.nanmin(minutes.attainment))
    plot.y_range = Range1d(
        start=np.floor(min(low, shown.slo.attainment) * 20 - 0.2) / 20, end=1.003
    )
    charts.in_percent(plot)
    told = {
        "from": ("", _clocks(minutes)[known]),
        "attainment": ("{0.00 %}", minutes.attainment[known]),
        "arrivals": ("", minutes.arrivals[known]),
    }
    mark = charts.line(
        plot,
        _middle(minutes, axis)[known],
        minutes.attainment[known],
        Mark("attainment", charts.GREEN),
        told,
        dots=int(known.sum()) <= _FEW,
    )
    asked = charts.target(plot, shown.slo.attainment)
    finding = findings.attainment(minutes, shown.attainment, shown.slo.attainment)
    return Chart("attainment", "Attainment over time", finding, plot, (mark, asked))


def misses(shown: Shown, axis: TimeAxis) -> Chart:
    """Arrivals that missed, by reason."""
    minutes = shown.minutes
    plot = charts.over_time(axis, f"misses {_per(minutes)}")
    totals = minutes.by_reason.sum(axis=1)
    seen = [code for code in range(1, len(REASONS)) if totals[code]]
    rows = {REASONS[code]: minutes.by_reason[code] for code in seen}
    told = {"from": ("", _clocks(minutes)), **{name: ("", row) for name, row in rows.items()}}
    stacks = {name: (charts.MISS_COLOURS[name], row) for name, row in rows.items()}
    legend = _bars(plot, minutes, axis, stacks, told) if stacks else ()
    return Chart("misses", "Why requests missed", findings.misses(minutes), plot, legend)


def arrivals(shown: Shown, axis: TimeAxis) -> Chart:
    """Requests per second."""
    minutes = shown.minutes
    lasts_s = np.clip(shown.duration_s - minutes.begin_s, 1.0, minutes.width_s)
    rate = minutes.arrivals / lasts_s
    plot = charts.over_time(axis, "requests / s", height=180)
    told = {"from": ("", _clocks(minutes)), "requests per second": ("{0.00}", rate)}
    _bars(plot, minutes, axis, {"arrivals": (charts.GREY, rate)}, told)
    return Chart("arrivals", "Arrivals", findings.arrivals(rate), plot)


def pods(shown: Shown, axis: TimeAxis) -> Chart:
    """Replicas asked and ready, with every decision as a mark that tells its reason."""
    plot = charts.over_time(axis, "replicas", height=280)
    charts.whole_ticks(plot)
    most = max(
        float(np.nanmax([rows.asked.max(), rows.ready.max()])) for rows in shown.pods.values()
    )
    plot.y_range = Range1d(start=0, end=most * 1.12 + 0.5)
    legend: list[Mark] = []
    for role, rows in shown.pods.items():
        colour = ROLE_COLOURS[role]
        x = axis.of(np.append(rows.t_s, shown.duration_s))
        for name, values, shape in (("asked", rows.asked, "dashes"), ("ready", rows.ready, "line")):
            if np.isnan(values).all():
                continue
            mark = Mark(f"{role} {name}", colour, shape)
            legend.append(charts.steps(plot, x, np.append(values, values[-1]), mark))
        _decisions(plot, axis, [c for c in shown.changes if c.role is role], colour)
    if shown.changes:
        legend.append(Mark("decision", charts.GREY, "triangle"))
    return Chart(
        "pods",
        "Prefill and decode replicas",
        findings.pods(shown.pods, len(shown.changes)),
        plot,
        tuple(legend),
    )


def _decisions(plot: charts.Plot, axis: TimeAxis, changes: list[Change], colour: str) -> None:
    if not changes:
        return
    after = np.array([change.after for change in changes])
    charts.triangles(
        plot,
        axis.of(np.array([change.t_s for change in changes])),
        after,
        up=after > np.array([change.before for change in changes]),
        colour=colour,
        told={
            "at": ("", [wording.clock(change.t_s) for change in changes]),
            "decision": ("", [f"{c.role} {c.before} → {c.after}" for c in changes]),
            "reason": ("", [change.reason for change in changes]),
        },
    )


def ttft(shown: Shown, axis: TimeAxis) -> Chart:
    """Where the time to the first token goes."""
    minutes = shown.minutes
    plot = charts.over_time(axis, "mean TTFT, seconds")
    rows = dict(zip(PARTS, minutes.ttft_parts_s, strict=True))
    told = {
        "from": ("", _clocks(minutes)),
        **{name: ("{0.000} s", row) for name, row in rows.items()},
    }
    stacks = {
        name: (colour, rows[name]) for name, colour in zip(PARTS, charts.PART_COLOURS, strict=True)
    }
    legend = _bars(plot, minutes, axis, stacks, told)
    highest_s = float(np.nansum(minutes.ttft_parts_s, axis=0).max())
    if highest_s > shown.slo.ttft_s:  # else out of sight
        legend = (*legend, charts.target(plot, shown.slo.ttft_s))
    return Chart(
        "ttft-parts", "Where TTFT goes", findings.ttft(minutes, shown.ttft_s), plot, legend
    )


def tpot(shown: Shown, axis: TimeAxis) -> Chart:
    """Mean time per later token."""
    minutes = shown.minutes
    known = ~np.isnan(minutes.tpot_s)
    plot = charts.over_time(axis, "mean TPOT, ms")
    told = {
        "from": ("", _clocks(minutes)[known]),
        "TPOT": ("{0.0} ms", minutes.tpot_s[known] * 1e3),
    }
    x = _middle(minutes, axis)[known]
    mark = Mark("TPOT", charts.ORANGE)
    few = int(known.sum()) <= _FEW
    charts.line(plot, x, minutes.tpot_s[known] * 1e3, mark, told, dots=few)
    asked = charts.target(plot, shown.slo.tpot_s * 1e3)
    plot.y_range = Range1d(start=0, end=max([shown.slo.tpot_s, *minutes.tpot_s[known]]) * 1.1e3)
    return Chart(
        "tpot-minutes",
        "TPOT over time",
        findings.tpot(minutes, shown.slo.tpot_s),
        plot,
        (mark, asked),
    )


def percentiles(key: str, name: str, values: Floats, target_s: float) -> Chart:
    """Latency by percentile of finished requests: each nine takes the same width."""
    known = values[~np.isnan(values)]
    plot = charts.blank("percentile of finished requests", name, y_axis_type="log")
    shares = _QUANTILES[1 - 1 / max(2, known.size) >= _QUANTILES]
    at = np.quantile(known, shares) if known.size else np.full(shares.size, np.nan)
    told: charts.Told = {
        "percentile": ("{0.00 %}", shares),
        name: ("", [wording.seconds(s) for s in at]),
    }
    mark = charts.line(plot, _nines(shares), at, Mark(name, charts.BLUE), told)
    ends = [*at[[0, -1]], target_s] if known.size else [target_s]
    plot.y_range = Range1d(start=min(ends) / 1.4, end=max(ends) * 1.4)
    charts.ticks(plot.xaxis, {float(_nines(nine / 100)): f"P{nine:g}" for nine in _NINES})
    charts.ticks(plot.yaxis, {tick: wording.seconds(tick) for tick in _TICKS_S})
    asked = charts.target(plot, target_s)
    finding = findings.percentiles(name, known, target_s)
    return Chart(f"{key}-percentiles", f"{name} against its target", finding, plot, (mark, asked))


def _nines(shares: Floats | float) -> Floats:
    """Shares on an axis where 90 %, 99 % and 99.9 % are equally far apart."""
    return np.asarray(-np.log10(1.0 - np.asarray(shares)))


def _per(minutes: Minutes) -> str:
    return (
        "per minute" if minutes.width_s == MINUTE_S else f"per {wording.seconds(minutes.width_s)}"
    )


def _clocks(minutes: Minutes) -> np.ndarray:
    return np.array([wording.clock(begin_s) for begin_s in minutes.begin_s])


def _middle(minutes: Minutes, axis: TimeAxis) -> Floats:
    return axis.of(minutes.begin_s + minutes.width_s / 2)


def _bars(
    plot: charts.Plot,
    minutes: Minutes,
    axis: TimeAxis,
    stacks: Mapping[str, tuple[str, np.ndarray]],
    told: charts.Told,
) -> tuple[Mark, ...]:
    return charts.bars(plot, _middle(minutes, axis), minutes.width_s / axis.unit_s, stacks, told)
