"""The headline of a league: what each policy needs on each trace for what was asked, beside the baselines."""

from collections.abc import Iterator, Mapping

from tandem.simulator.league.outcome import Baseline, Frontier, Outcome
from tandem.simulator.pages import wording
from tandem.simulator.pages.page import Row, Table

Heads = tuple[tuple[str, bool], ...]
BASELINES = {  # by their names in Outcome: what a reader calls them
    "static_best": "static best",
    "oracle": "oracle",
    "floor": "floor",
}


def best(outcome: Outcome, trace: str) -> Frontier | None:
    """Who needs the fewest GPU-hours for the asked attainment; None where nobody reached it."""
    reached = [f for f in of_trace(outcome, trace) if f.gpu_hours_at_target is not None]
    return min(reached, key=lambda one: one.gpu_hours_at_target or 0.0, default=None)


def wins(frontier: Frontier, outcome: Outcome) -> bool:
    """Whether nobody needs less on its trace."""
    first = best(outcome, frontier.trace)
    return first is not None and frontier.gpu_hours_at_target == first.gpu_hours_at_target


def of_trace(outcome: Outcome, trace: str) -> list[Frontier]:
    """The frontiers of a trace, the cheapest at the target first, then those nearest to it."""
    mine = [frontier for frontier in outcome.frontiers if frontier.trace == trace]
    return sorted(
        mine, key=lambda f: (f.gpu_hours_at_target or float("inf"), -f.attainment_reached)
    )


def baselines(outcome: Outcome, trace: str) -> dict[str, Baseline]:
    """The baselines of a trace by what a reader calls them."""
    found = {}
    for field, name in BASELINES.items():
        mine = (one for one in getattr(outcome, field) if one.trace == trace)
        if (one := next(mine, None)) is not None:
            found[name] = one
    return found


def who(frontier: Frontier, outcome: Outcome) -> str:
    """A policy, with whose queue order it ran where both were played."""
    return with_routing(frontier.policy, frontier.routing, outcome)


def with_routing(policy: str, routing: str, outcome: Outcome) -> str:
    """A policy's name, and whose queue order it ran with where both were played."""
    if not both_orders(policy, outcome):
        return policy
    return f"{policy}, {'own' if routing == 'own' else routing} order"


def both_orders(policy: str, outcome: Outcome) -> bool:
    """Whether a policy was played with its own queue order and with ours."""
    return len({one.routing for one in outcome.frontiers if one.policy == policy}) > 1


def overview(outcome: Outcome) -> Table:
    """GPU-hours over the oracle's: a row for each policy, a column for each trace."""
    asked = wording.goal(outcome.settings.attainment)
    traces = [load.trace for load in outcome.loads]
    by_name: dict[str, dict[str, str]] = {}
    for one in outcome.frontiers:
        star = "★ " if wins(one, outcome) else ""
        by_name.setdefault(who(one, outcome), {})[one.trace] = star + _over_oracle(one)
    heads = (("policy", False), *((trace, True) for trace in traces))
    rows = [
        Row((name, *(cells.get(trace, wording.NOTHING) for trace in traces)))
        for name, cells in by_name.items()
    ]
    return Table(f"GPU-hours for {asked}, as multiples of the oracle's", heads, {"": rows})


def _over_oracle(frontier: Frontier) -> str:
    """How far from the oracle; where the target was never reached, how near to that."""
    if frontier.gpu_hours_at_target is None:
        return f"({wording.share(frontier.attainment_reached)})"
    over = frontier.regret.oracle
    return wording.plain(frontier.gpu_hours_at_target) if over is None else _times(1.0 + over)


def headline(outcome: Outcome) -> Table:
    """One group a trace: policies from the cheapest, then the baselines."""
    asked = wording.goal(outcome.settings.attainment)
    heads: Heads = (
        ("policy", False),
        (f"GPU-hours at {asked}", True),
        ("95 % interval", True),
        ("× oracle", True),
        ("best attainment", True),
        ("attainment, untuned", True),
        ("GPU-hours, untuned", True),
    )
    traces = [load.trace for load in outcome.loads]
    groups: Mapping[str, list[Row]] = {trace: list(_rows(outcome, trace)) for trace in traces}
    return Table(f"What each policy needs for {asked} attainment, by trace", heads, groups)


def _rows(outcome: Outcome, trace: str) -> Iterator[Row]:
    for frontier in of_trace(outcome, trace):
        first, name = wins(frontier, outcome), who(frontier, outcome)
        cells = (f"★ {name}" if first else name, *_cells(frontier))
        yield Row(cells, "best" if first else "")
    known = baselines(outcome, trace)
    oracle = known.get("oracle")
    for name, baseline in known.items():
        times = wording.NOTHING
        if oracle and oracle.gpu_hours and baseline.gpu_hours is not None:
            times = _times(baseline.gpu_hours / oracle.gpu_hours)
        hours = wording.plain(baseline.gpu_hours)
        rest = (wording.NOTHING,) * 3
        told = f"{name} ({baseline.detail})" if baseline.detail else name
        yield Row((told, hours, _interval(baseline.ci95), times, *rest), "baseline")


def _cells(frontier: Frontier) -> tuple[str, ...]:
    default, over = frontier.default, frontier.regret.oracle
    hours = frontier.gpu_hours_at_target
    return (
        "not reached" if hours is None else wording.plain(hours),
        _interval(frontier.ci95),
        wording.NOTHING if over is None else _times(1.0 + over),
        wording.share(frontier.attainment_reached),
        wording.NOTHING if default is None else wording.share(default.attainment),
        wording.NOTHING if default is None else wording.plain(default.gpu_hours),
    )


def _interval(ci95: tuple[float, float] | None) -> str:
    return wording.NOTHING if ci95 is None else f"{ci95[0]:,.2f} to {ci95[1]:,.2f}"


def _times(ratio: float) -> str:
    return f"{ratio:.2f} ×"
