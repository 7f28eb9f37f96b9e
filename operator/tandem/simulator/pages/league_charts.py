"""The charts of a league: what attainment costs each policy, and its fleet beside the oracle's."""

from collections.abc import Iterator, Sequence

import numpy as np
from bokeh.models import Range1d

from tandem.simulator.league.outcome import Frontier, Outcome, Track
from tandem.simulator.pages import charts, league_table, wording
from tandem.simulator.pages.charts import Chart, Mark, TimeAxis

COLOURS = (
    charts.BLUE,
    charts.ORANGE,
    charts.GREEN,
    charts.PURPLE,
    charts.YELLOW,
    charts.BROWN,
    charts.LIGHT_BLUE,
    "#c45a93",
    "#5f8f3e",
)
_SHOWN = (0.5, 0.9, 0.99, 0.999, 0.9999)
_LEAST_MISS = 1e-4
_BASELINES = {"floor": "dots", "oracle": "line", "static best": "dashes"}


def frontier(outcome: Outcome, trace: str, key: str) -> Chart:
    """Attainment against GPU-hours; each nine of attainment is equally far from the last."""
    plot = charts.blank("GPU-hours", "attainment", height=360, y_axis_type="log")
    frontiers = league_table.of_trace(outcome, trace)
    legend = [_drawn(plot, outcome, one) for one in frontiers]
    legend.append(charts.target(plot, 1 - outcome.settings.attainment))
    known = league_table.baselines(outcome, trace)
    lines = {name: one.gpu_hours for name, one in known.items() if one.gpu_hours is not None}
    for name, hours in lines.items():
        legend.append(charts.upright(plot, hours, Mark(name, charts.GREY, _BASELINES[name])))
    _frame(plot, outcome, frontiers, list(lines.values()))
    if any(one.default is not None for one in frontiers):
        legend.append(Mark("untuned", charts.GREY, "diamond"))
    return Chart(key, trace, _cost(outcome, trace), plot, tuple(legend))


def _frame(
    plot: charts.Plot, outcome: Outcome, frontiers: Sequence[Frontier], lines: Sequence[float]
) -> None:
    """Ranges that hold every point and line; attainment grows upwards."""
    points = [point for one in frontiers for point in (*one.points, one.default) if point]
    misses = [1 - p.attainment for p in points] + [1 - outcome.settings.attainment]
    hours = [p.gpu_hours for p in points] + list(lines)
    plot.y_range = Range1d(
        start=min(1.0, max(misses) * 1.3), end=max(_LEAST_MISS, min(misses)) / 1.6
    )
    plot.x_range = Range1d(start=min(hours, default=0.0) * 0.96, end=max(hours, default=1.0) * 1.03)
    charts.ticks(plot.yaxis, {round(1 - share, 6): wording.goal(share) for share in _SHOWN})


def _drawn(plot: charts.Plot, outcome: Outcome, one: Frontier) -> Mark:
    """A policy's frontier, its untuned default as a diamond."""
    names = list(dict.fromkeys(f.policy for f in outcome.frontiers))
    colour = COLOURS[names.index(one.policy) % len(COLOURS)]
    ours = one.routing == "tandem" and league_table.both_orders(one.policy, outcome)
    mark = Mark(league_table.who(one, outcome), colour, "dashes" if ours else "line")
    points = sorted(one.points, key=lambda point: point.gpu_hours)
    hours = np.array([point.gpu_hours for point in points])
    shares = np.array([point.attainment for point in points])
    parameters = [
        f"{one.parameter} = {p.parameter:g}" if p.parameter is not None else "untuned"
        for p in points
    ]
    told: charts.Told = {
        "policy": ("", [mark.name] * len(points)),
        "parameter": ("", parameters),
        "attainment": ("", [wording.share(share) for share in shares]),
        "GPU-hours": ("{0.00}", hours),
    }
    charts.line(plot, hours, np.maximum(1 - shares, _LEAST_MISS), mark, told, dots=True)
    if one.default is not None:
        miss = max(1 - one.default.attainment, _LEAST_MISS)
        charts.diamond(plot, one.default.gpu_hours, miss, colour)
    return mark


def _cost(outcome: Outcome, trace: str) -> str:
    """Who is cheapest at the target, how far from the oracle, and who never got there."""
    asked = wording.goal(outcome.settings.attainment)
    first = league_table.best(outcome, trace)
    if first is None:
        return f"No policy reached {asked}."
    over = first.regret.oracle
    beside = "" if over is None else f", {1 + over:.2f} times the oracle's"
    text = (
        f"{league_table.who(first, outcome)} needs the fewest GPU-hours for {asked}: "
        f"{wording.plain(first.gpu_hours_at_target)}{beside}."
    )
    never = [
        league_table.who(one, outcome)
        for one in league_table.of_trace(outcome, trace)
        if one.gpu_hours_at_target is None
    ]
    return f"{text} Never reached it: {', '.join(never)}." if never else text


def fleets(outcome: Outcome, mine: Track, oracle: Track | None, key: str) -> Chart:
    """Replicas that a policy asked for over time, beside those of the oracle."""
    axis = TimeAxis(mine.duration_s)
    plot = charts.over_time(axis, "replicas asked", height=260)
    charts.whole_ticks(plot)
    name = league_table.with_routing(mine.who, mine.routing, outcome)
    legend = []
    for track, shape in ((mine, "line"), *([(oracle, "dashes")] if oracle else [])):
        whose = name if track is mine else "oracle"
        for role, column, colour in (("prefill", 1, charts.BLUE), ("decode", 2, charts.ORANGE)):
            x, y = _steps(track, column)
            legend.append(
                charts.steps(plot, axis.of(x), y, Mark(f"{whose}: {role}", colour, shape))
            )
    plot.y_range = Range1d(start=0, end=_most([mine, *([oracle] if oracle else [])]) * 1.1 + 0.5)
    title = f"{mine.trace}: {name}, {mine.kind}" + (", against the oracle" if oracle else "")
    return Chart(key, title, "; ".join(_used(outcome, mine, oracle)) + ".", plot, tuple(legend))


def _steps(track: Track, column: int) -> tuple[np.ndarray, np.ndarray]:
    rows = np.array(
        [*track.replicas, (track.duration_s, *track.replicas[-1][1:])], dtype=np.float64
    )
    return rows[:, 0], rows[:, column]


def _most(tracks: Sequence[Track]) -> int:
    return max(max(row[1:]) for track in tracks for row in track.replicas)


def _used(outcome: Outcome, mine: Track, oracle: Track | None) -> Iterator[str]:
    for track in (mine, oracle):
        if track is not None:
            whose = league_table.with_routing(track.who, track.routing, outcome)
            yield (
                f"{'the oracle' if track is oracle else whose} used {wording.plain(track.gpu_hours)} "
                f"GPU-hours for {wording.share(track.attainment)}"
            )
