"""Sizing: the cheapest pair of replicas that meets the SLO, by a walk down a staircase.

More replicas never lower attainment, so the pairs that meet a goal have a staircase as their border:
for each number of prefill replicas the fewest decode replicas, never more than for the number before.
The walk starts at the fewest prefill replicas that could do at all and ends where what is left can only
cost more. The error budget is not split beforehand: attainment is joint, so a role takes of it what it
needs.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from math import ceil

import numpy as np

from tandem.api.role import Role
from tandem.planner import prediction, region, words
from tandem.planner.demand import Demand, Floats
from tandem.planner.model import Prediction, RunnerUp
from tandem.planner.prediction import predict
from tandem.planner.queueing import headroom
from tandem.planner.queueing.tandem import UNLIMITED, Tandem
from tandem.planner.region import Pair, Price, Region
from tandem.planner.spec import FleetSpec

__all__ = ["InfeasibleSlo", "Sizing", "idle_limit", "predict", "size"]

LARGEST = 4096  # replicas of a role that a search considers
COLUMNS = 64  # numbers of prefill replicas that are looked at together
HALF = 0.5  # of requests: below, the SLO itself is given up for the nearest one that can be met
SPARE = 0.5  # of the error budget, left to waiting where the SLO can't be met
RELAXED = 1.5  # times what an idle engine needs: the SLO that is aimed at then


@dataclass(frozen=True, slots=True, kw_only=True)
class InfeasibleSlo:
    """What idle engines reach: TTFT and TPOT at the asked share, and the share that meets both targets."""

    ttft_s: float
    tpot_s: float
    attainment: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sizing:
    """An answer: replicas within all bounds, and `ideal`, what they would be without them.

    `feasible` tells whether `replicas` meet the SLO; `infeasible` what could be met where none does.
    """

    replicas: Pair
    ideal: Pair
    runner_up: RunnerUp | None
    feasible: bool
    infeasible: InfeasibleSlo | None
    reasons: tuple[str, ...]
    tandem: Tandem

    @property
    def prediction(self) -> Prediction:
        """What `replicas` would do; worked out when asked for, since a controller does not."""
        return prediction.of(self.tandem, *_counts(self.replicas))


def size(demand: Demand, spec: FleetSpec, *, spare: float = 0.0) -> Sizing:
    """The cheapest allowed pair that meets the SLO; else the one that serves the need best.

    Where lengths alone (prompts that no fleet serves in time) leave less than the share `spare` of the
    error budget, the goal is lowered by what lacks: else the last of the budget would be bought dearly.
    """
    tandem = Tandem(demand, spec)
    infeasible = idle_limit(tandem)
    aim, goal = _aim(tandem, spec, infeasible, spare)
    accelerators, money = region.prices(spec)
    price = money if all(money.values()) else accelerators
    unbounded = Region(bounds=dict.fromkeys(Role, (1, LARGEST)))
    ideals = _cheapest(aim, goal, unbounded, price)
    ideal = ideals[0] if ideals else dict.fromkeys(Role, LARGEST)
    allowed = region.of(spec)
    pairs = ideals if allowed.allows(ideal) else _cheapest(aim, goal, allowed, price)
    replicas = pairs[0] if pairs else allowed.nearest(ideal) or ideal
    return Sizing(
        replicas=replicas,
        ideal=ideal,
        runner_up=_runner_up(aim, goal, pairs, replicas, price),
        feasible=tandem.attainment(*_counts(replicas)) >= spec.slo.attainment,
        infeasible=infeasible,
        reasons=words.sizing(tandem, spec, replicas),
        tandem=tandem,
    )


def idle_limit(tandem: Tandem) -> InfeasibleSlo | None:
    """What idle engines reach when that is less than the SLO asks; None when the SLO can be met."""
    reach = tandem.attainment(UNLIMITED, UNLIMITED)
    if reach >= tandem.slo.attainment:
        return None
    step_s = tandem.decode_work.step_s(1.0) + tandem.decode_work.own_s
    ttft_s = tandem.path_s(UNLIMITED)
    if tandem.first_by_decode:
        ttft_s = ttft_s + tandem.decode_work.step_s(1.0)
    return InfeasibleSlo(
        ttft_s=_weighted_quantile(ttft_s, tandem.lengths.weights, tandem.slo.attainment),
        tpot_s=_weighted_quantile(step_s, tandem.lengths.weights, tandem.slo.attainment),
        attainment=reach,
    )


def cost(pair: Pair, price: Price) -> float:
    """What a pair costs."""
    return sum(price[role] * pair[role] for role in Role)


def _aim(
    tandem: Tandem, spec: FleetSpec, infeasible: InfeasibleSlo | None, spare: float
) -> tuple[Tandem, float]:
    """The SLO and the share to size for: those asked, or the nearest that idle engines reach."""
    target, reach = spec.slo.attainment, tandem.attainment(UNLIMITED, UNLIMITED)
    if infeasible is None:
        return tandem, min(target, reach - spare * (1 - target))
    if reach < HALF:
        slo = replace(
            spec.slo,
            ttft_s=max(spec.slo.ttft_s, RELAXED * infeasible.ttft_s),
            tpot_s=max(spec.slo.tpot_s, RELAXED * infeasible.tpot_s),
        )
        tandem = Tandem(tandem.demand, replace(spec, slo=slo))
        reach = tandem.attainment(UNLIMITED, UNLIMITED)
    return tandem, reach - max(spare, SPARE) * (1 - target)


def _cheapest(tandem: Tandem, goal: float, region: Region, price: Price) -> list[Pair]:
    """Pairs of the region on the staircase of the goal, the cheapest first, of equals the best attaining."""
    found = list(_staircase(tandem, goal, region, price))
    found.sort(key=lambda pair: (round(cost(pair, price), 9), -tandem.attainment(*_counts(pair))))
    return found


def _staircase(tandem: Tandem, goal: float, region: Region, price: Price) -> Iterator[Pair]:
    """For each number of prefill replicas the fewest decode replicas, while it could be the cheapest."""
    least_prefills = _least(
        lambda count: tandem.attainment(count, UNLIMITED) >= goal, guess=_busy_prefills(tandem)
    )
    least_decodes = _least(
        lambda count: tandem.attainment(UNLIMITED, count) >= goal, guess=_busy_decodes(tandem)
    )
    if least_prefills is None or least_decodes is None:
        return
    need, lowest = None, float("inf")
    for count, low, high in _columns(region, least_prefills):
        floor = {Role.PREFILL: count, Role.DECODE: max(least_decodes, low)}
        if cost(floor, price) > lowest:
            return
        need = _fewest_decodes(tandem, goal, count, least_decodes, need)
        if need is not None and max(need, low) <= high:
            pair = {Role.PREFILL: count, Role.DECODE: max(need, low)}
            lowest = min(lowest, cost(pair, price))
            yield pair


def _columns(region: Region, least: int) -> Iterator[tuple[int, int, int]]:
    """Prefill replicas from `least` on, and fewest and most decode replicas beside them, where there are."""
    low, high = region.bounds[Role.PREFILL]
    for start in range(max(low, least), high + 1, COLUMNS):
        prefills = np.arange(start, min(start + COLUMNS, high + 1))
        fewest, most = region.decodes(prefills)
        for column in zip(prefills.tolist(), fewest.tolist(), most.tolist(), strict=True):
            if column[1] <= column[2]:
                yield column


def _fewest_decodes(
    tandem: Tandem, goal: float, prefills: int, least: int, before: int | None
) -> int | None:
    """The step of the staircase: sought from the one before on."""
    guess = least if before is None else before
    return _least(lambda count: tandem.attainment(prefills, count) >= goal, least, guess)


def _busy_prefills(tandem: Tandem) -> int:
    """Prefill replicas that are always busy."""
    return ceil(tandem.rate_rps * tandem.prefill_work.mean_s)


def _busy_decodes(tandem: Tandem) -> int:
    """Decode replicas whose mean iteration takes the TPOT target."""
    work, residents = tandem.decode_work, max(headroom.most_residents(tandem), 1.0)
    return ceil(tandem.rate_rps * work.mean_steps * work.step_s(residents) / residents)


def _least(meets: Callable[[int], bool], least: int = 1, guess: int = 1) -> int | None:
    """The least count from `least` to `LARGEST` that meets a monotone claim, by doubling steps from a guess."""
    count, stride = min(max(guess, least), LARGEST), 1
    failed = least - 1
    if meets(count):
        while count > least and meets(below := max(count - stride, least)):
            count, stride = below, stride * 2
        failed = max(count - stride, failed)
    else:
        while not meets(count):
            if count >= LARGEST:
                return None
            failed, count, stride = count, min(count + stride, LARGEST), stride * 2
    while count - failed > 1:
        middle = (count + failed) // 2
        failed, count = (failed, middle) if meets(middle) else (middle, count)
    return count


def _runner_up(
    tandem: Tandem, goal: float, pairs: list[Pair], chosen: Pair, price: Price
) -> RunnerUp | None:
    """The next on the staircase; where there is none, the better of the pairs with one replica less."""
    attained = tandem.attainment(*_counts(chosen))
    if len(pairs) > 1:
        more = cost(pairs[1], price) - cost(chosen, price)
        share = tandem.attainment(*_counts(pairs[1]))
        return RunnerUp(replicas=pairs[1], reason=words.dearer(more, share, attained))
    less = [{**chosen, role: chosen[role] - 1} for role in Role if chosen[role] > 1]
    if not less:
        return None
    best = max(less, key=lambda pair: tandem.attainment(*_counts(pair)))
    return RunnerUp(replicas=best, reason=words.short(tandem.attainment(*_counts(best)), goal))


def _counts(pair: Pair) -> tuple[int, int]:
    return pair[Role.PREFILL], pair[Role.DECODE]


def _weighted_quantile(values: Floats, weights: Floats, share: float) -> float:
    order = np.argsort(values)
    place = int(np.searchsorted(np.cumsum(weights[order]), share - 1e-12))
    return float(values[order][min(place, len(values) - 1)])
