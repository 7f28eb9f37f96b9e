"""What would change an answer: loads, SLOs and limits, each found by asking the planner again.

A load is sought on a ladder of half per cents, an SLO on one of 2 %: by steps that double until the answer
is another, then by halves. The answer need not be monotone, for roles trade replicas at equal cost; so
what is told has been asked for 1 % on both sides, and what wavers there is not told.

Some 40 answers of the policy for one of a running fleet: nothing for the path of every tick.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache, partial
from math import ceil, floor, log

from tandem.api.role import Role
from tandem.planner import region
from tandem.planner.explanation import Change, Relaxation, Threshold, WhatIf, figures
from tandem.planner.region import ROUNDING, Pair
from tandem.planner.sizing import cost
from tandem.planner.spec import FleetSpec, RatioBounds

LOAD_STEP, MOST_GROWTH, LEAST_GROWTH = 1.005, 8.0, 0.02
SLO_STEP, MOST_LOOSER = 1.02, 4.0
MOST_MISSES = 0.5  # of requests: an SLO that gives up more is none
SURE = 2  # steps on both sides that are asked as well
TRIES = 3  # to find a crossing that does not waver


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A planner that can be asked again.

    Attributes:
        spec: the fleet as it was asked about.
        rate_rps: arrivals that a growth of load multiplies.
        before: replicas asked for before; None of a sizing.
        wish: the unclamped answer at a growth of load, for a fleet.
        result: what the limits of a fleet leave of its answer, at the load as it is.

    """

    spec: FleetSpec
    rate_rps: float
    before: Pair | None
    wish: Callable[[float, FleetSpec], Pair]
    result: Callable[[FleetSpec], Pair]


def what_if(question: Question, wish: Pair, result: Pair) -> WhatIf:
    """All that would change it; `wish` and `result` are the answer as it is."""
    at = cache(lambda step: question.wish(LOAD_STEP**step, question.spec))
    is_loaded = question.rate_rps > 0
    return WhatIf(
        more=tuple(_thresholds(question, at, wish, 1)) if is_loaded else (),
        fewer=tuple(_thresholds(question, at, wish, -1)) if is_loaded else (),
        slo=tuple(_relaxations(question, wish)),
        limits=tuple(_changes(question, wish, result)),
    )


def _thresholds(
    question: Question, at: Callable[[int], Pair], wish: Pair, way: int
) -> Iterator[Threshold]:
    """Per role the nearest load, above or below, at which it wants more or fewer."""
    most = floor(log(MOST_GROWTH if way > 0 else 1 / LEAST_GROWTH) / log(LOAD_STEP))
    for role in Role:
        stride = max(1, round(0.5 / max(wish[role], 1) / log(LOAD_STEP)))
        step = _crossing(partial(_is_beyond, at, wish, role, way), most, stride)
        if step is not None:
            growth = LOAD_STEP ** (way * step)
            yield Threshold(
                role=role,
                replicas=at(way * step)[role],
                growth=round(growth, 4),
                rate_rps=_told(growth * question.rate_rps),
            )


def _is_beyond(at: Callable[[int], Pair], wish: Pair, role: Role, way: int, step: int) -> bool:
    return way * (at(way * step)[role] - wish[role]) > 0


def _relaxations(question: Question, wish: Pair) -> Iterator[Relaxation]:
    """Per target the least loosening with which fewer accelerators do."""
    slo = question.spec.slo
    misses = 1 - slo.attainment
    reach = {
        "ttft_s": MOST_LOOSER,
        "tpot_s": MOST_LOOSER,
        "attainment": min(MOST_LOOSER, MOST_MISSES / misses),
    }
    for target, most in reach.items():
        at = cache(partial(_loosened_wish, question, target))
        steps = max(floor(log(max(most, 1.0)) / log(SLO_STEP) + ROUNDING), 0)
        step = _crossing(partial(_is_cheaper, question.spec, at, wish), steps, stride=4)
        if step is not None:
            loosened = _loosened(question.spec, target, step).slo
            now, to = (getattr(each, target) for each in (slo, loosened))
            yield Relaxation(target=target, now=now, to=round(to, 6), replicas=dict(at(step)))


def _loosened_wish(question: Question, target: str, step: int) -> Pair:
    return question.wish(1.0, _loosened(question.spec, target, step))


def _is_cheaper(spec: FleetSpec, at: Callable[[int], Pair], wish: Pair, step: int) -> bool:
    price, _ = region.prices(spec)
    return cost(at(step), price) < cost(wish, price) - ROUNDING


def _loosened(spec: FleetSpec, target: str, step: int) -> FleetSpec:
    """The fleet with one target so many steps looser; of attainment the error budget is."""
    now, factor = getattr(spec.slo, target), SLO_STEP**step
    value = 1 - (1 - now) * factor if target == "attainment" else now * factor
    return replace(spec, slo=replace(spec.slo, **{target: value}))


def _crossing(holds: Callable[[int], bool], most: int, stride: int) -> int | None:
    """A step from 1 to `most` where a claim that does not hold at 0 begins to, surely; None if none is found."""
    low, high = 0, most
    for _ in range(TRIES):
        if high <= low or not holds(high):
            return None
        step = _begins(holds, low, high, stride)
        if holds(step - SURE):
            high = step - SURE
        elif not holds(step + SURE):
            low = step + SURE
        else:
            return step
    return None


def _begins(holds: Callable[[int], bool], low: int, high: int, stride: int) -> int:
    """Where it begins between a step at which it does not hold and one at which it does."""
    while low + stride < high and not holds(low + stride):
        low, stride = low + stride, 2 * stride
    high = min(low + stride, high)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


@dataclass(frozen=True, slots=True)
class _Moved:
    """A limit moved so far that it lets a pair be."""

    limit: str
    now: str
    to: str
    spec: FleetSpec


def _changes(question: Question, wish: Pair, result: Pair) -> Iterator[Change]:
    """Each limit that alone keeps the result from being another, moved as far as that takes."""
    if dict(wish) == dict(result):
        return
    for moved in _moved(question.spec, question.before, wish):
        reached = question.result(moved.spec)
        if dict(reached) == dict(result):
            continue
        nearer = _moved(question.spec, question.before, reached)
        least = next((each for each in nearer if each.limit == moved.limit), moved)
        is_enough = dict(question.result(least.spec)) == dict(reached)
        told = least if is_enough else moved
        yield Change(limit=told.limit, now=told.now, to=told.to, replicas=dict(reached))


def _moved(spec: FleetSpec, before: Pair | None, aim: Pair) -> Iterator[_Moved]:
    """The limits that stand between a fleet and a pair, each moved alone."""
    yield from _bounds(spec, aim)
    yield from _floors(spec, aim)
    yield from _ratio(spec, aim)
    yield from _budgets(spec, aim)
    if before is not None:
        yield from _steps(spec, before, aim)


def _bounds(spec: FleetSpec, aim: Pair) -> Iterator[_Moved]:
    for role, now in spec.roles.items():
        count, low, high = aim[role], now.min_replicas, now.max_replicas
        if count > high:
            wider = replace(now, max_replicas=count)
        elif count < low:
            wider = replace(now, min_replicas=count)
        else:
            continue
        name, bound = ("max", high) if count > high else ("min", low)
        roles = {**spec.roles, role: wider}
        yield _Moved(f"{role} {name}", str(bound), str(count), replace(spec, roles=roles))


def _floors(spec: FleetSpec, aim: Pair) -> Iterator[_Moved]:
    for at, each in enumerate(spec.schedules):
        for role, least in each.floors.items():
            if least > aim[role]:
                lower = replace(each, floors={**each.floors, role: aim[role]})
                schedules = (*spec.schedules[:at], lower, *spec.schedules[at + 1 :])
                name = f"schedule {each.cron} {role}"
                moved = replace(spec, schedules=schedules)
                yield _Moved(name, str(least), str(aim[role]), moved)


def _ratio(spec: FleetSpec, aim: Pair) -> Iterator[_Moved]:
    pair: tuple[int, int] = (aim[Role.PREFILL], aim[Role.DECODE])
    for name, field in (("ratio min", "lowest"), ("ratio max", "highest")):
        now: tuple[int, int] | None = getattr(spec.ratio, field)
        if now is not None and any(pair) and not RatioBounds(**{field: now}).allow(*pair):
            wider = replace(spec, ratio=replace(spec.ratio, **{field: pair}))
            yield _Moved(name, f"{now[0]}:{now[1]}", f"{pair[0]}:{pair[1]}", wider)


def _budgets(spec: FleetSpec, aim: Pair) -> Iterator[_Moved]:
    accelerators, money = (cost(aim, price) for price in region.prices(spec))
    given = spec.budget
    if given.accelerators is not None and accelerators > given.accelerators:
        wider = replace(given, accelerators=ceil(accelerators))
        yield _Moved(
            "budget accelerators",
            str(given.accelerators),
            str(wider.accelerators),
            replace(spec, budget=wider),
        )
    if given.cost_per_hour is not None and money > given.cost_per_hour + ROUNDING:
        wider = replace(given, cost_per_hour=money)
        yield _Moved(
            "budget cost per hour",
            f"{given.cost_per_hour:.4g}",
            f"{money:.4g}",
            replace(spec, budget=wider),
        )


def _steps(spec: FleetSpec, before: Pair, aim: Pair) -> Iterator[_Moved]:
    pace = spec.behavior
    up = max(aim[role] - before[role] for role in Role)
    down = max(before[role] - aim[role] for role in Role)
    for name, field, now, needed in (
        ("scaleUpStep", "up_max_step", pace.up_max_step, up),
        ("scaleDownStep", "down_max_step", pace.down_max_step, down),
    ):
        if needed > now:
            quicker = replace(spec, behavior=replace(pace, **{field: needed}))
            yield _Moved(name, str(now), str(needed), quicker)


def _told(value: float) -> float:
    return figures(value) or 0.0
