"""Sizing: the cheapest pair of replicas that meets the SLO, by a walk down a staircase.

More replicas never lower attainment, so the pairs that meet a goal have a staircase as their border:
for each number of prefill replicas the fewest decode replicas, never more than for the number before.
The walk starts at the fewest prefill replicas that could do at all and ends where what is left can only
cost more. The error budget is not split beforehand: attainment is joint, so a role takes of it what it
needs.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from math import ceil

import numpy as np

from tandem.api.role import Role
from tandem.planner import pools, prediction, region, words
from tandem.planner.demand import Demand, Floats
from tandem.planner.model import Prediction, RunnerUp
from tandem.planner.prediction import predict
from tandem.planner.queueing import targets
from tandem.planner.queueing.tandem import UNLIMITED, Tandem
from tandem.planner.queueing.targets import Target
from tandem.planner.region import LARGEST, Pair, Price, Region, cost
from tandem.planner.spec import FleetSpec, Slo

__all__ = ["LARGEST", "InfeasibleSlo", "Sizing", "cost", "idle_limit", "predict", "size"]

COLUMNS = 64  # numbers of prefill replicas that are looked at together
HALF = 0.5  # of requests: below, the SLO itself is given up for the nearest one that can be met
SPARE = 0.5  # of the error budget, left to waiting where the SLO can't be met
RELAXED = 1.5  # times what an idle engine needs: the SLO that is aimed at then


@dataclass(frozen=True, slots=True, kw_only=True)
class InfeasibleSlo:
    """What idle engines reach: TTFT and TPOT at the asked share, and the share that meets both targets.

    Of classes, that of the one which falls short most; of TTFT tiers, TTFT as it would be in the last one.
    """

    ttft_s: float
    tpot_s: float
    attainment: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sizing:
    """An answer: replicas within all bounds, and `ideal`, what they would be without them.

    `feasible` tells whether `replicas` meet the SLO, that of each class; `infeasible` what could be met
    where none does. `spec` is what was asked, the pools of each role in the order in which they are taken.
    """

    replicas: Pair
    ideal: Pair
    runner_up: RunnerUp | None
    feasible: bool
    infeasible: InfeasibleSlo | None
    reasons: tuple[str, ...]
    tandem: Tandem
    spec: FleetSpec

    @property
    def prediction(self) -> Prediction:
        """What `replicas` would do; worked out when asked for, since a controller does not."""
        return prediction.of(self.tandem, *_counts(self.replicas))

    @property
    def pools(self) -> Mapping[Role, Mapping[str, int]]:
        """Replicas of each pool of a role, by its name; of its profile where it has none."""
        roles = self.spec.roles
        return {role: pools.named(roles[role], count) for role, count in self.replicas.items()}


def size(demand: Demand, spec: FleetSpec, *, spare: float = 0.0) -> Sizing:
    """The cheapest allowed pair that meets the SLO; else the one that serves the need best.

    Where lengths alone (prompts that no fleet serves in time) leave less than the share `spare` of the
    error budget, the goal is lowered by what lacks: else the last of the budget would be bought dearly.
    """
    tandem = Tandem(demand, spec)
    if all(filling.is_plain for filling in tandem.fillings.values()):
        return _sized(tandem, spec, spare)
    return _of_pools(tandem, spec, spare)


def _of_pools(tandem: Tandem, spec: FleetSpec, spare: float) -> Sizing:
    """The best of all orders in which pools can be taken; one that can't be cheaper is passed over."""
    price = _price(spec)
    best: Sizing | None = None
    for each in pools.fillings(spec, _worth(tandem, spec), _each_price(spec)):
        ordered = Tandem(tandem.demand, each)
        if best is None or not best.feasible or _least_cost(ordered, each) < _paid(best):
            found = _sized(ordered, each, spare)
            best = found if best is None else min(best, found, key=_rank)
    return _sized(tandem, spec, spare) if best is None else best


def _sized(tandem: Tandem, spec: FleetSpec, spare: float) -> Sizing:
    """The answer for pools that are taken in the order of the spec."""
    infeasible = idle_limit(tandem)
    aim, goals = _aim(tandem, spec, infeasible, spare)
    price = _price(spec)
    unbounded = Region(bounds=dict.fromkeys(Role, (1, LARGEST)))
    ideals = _cheapest(aim, goals, unbounded, price)
    ideal = ideals[0] if ideals else dict.fromkeys(Role, LARGEST)
    allowed = region.of(spec)
    pairs = ideals if allowed.allows(ideal) else _cheapest(aim, goals, allowed, price)
    replicas = pairs[0] if pairs else allowed.nearest(ideal) or ideal
    return Sizing(
        replicas=replicas,
        ideal=ideal,
        runner_up=_runner_up(aim, goals, pairs, replicas, price),
        feasible=meets(tandem, goals_of(tandem), *_counts(replicas)),
        infeasible=infeasible,
        reasons=words.sizing(tandem, spec, replicas),
        tandem=tandem,
        spec=spec,
    )


def goals_of(tandem: Tandem) -> Floats:
    """The attainment that each target asks for, shape (targets,)."""
    return np.array([each.slo.attainment for each in tandem.targets])


def meets(tandem: Tandem, goals: Floats, prefills: int, decodes: int) -> bool:
    """Whether every target attains its goal."""
    return bool((tandem.attainments(prefills, decodes) >= goals).all())


def idle_limit(tandem: Tandem) -> InfeasibleSlo | None:
    """What idle engines reach when that is less than the SLO asks; None when the SLO can be met."""
    reach = tandem.attainments(UNLIMITED, UNLIMITED)
    lacks = goals_of(tandem) - reach
    worst = int(np.argmax(lacks))
    return None if lacks[worst] <= 0 else _limit(tandem, tandem.targets[worst], float(reach[worst]))


def _limit(tandem: Tandem, target: Target, reach: float) -> InfeasibleSlo:
    """What a class gets from idle engines."""
    work = tandem.decode_works[tandem.decode(UNLIMITED).parts[0].kind]
    step_s = work.step_s(1.0) + work.own_s
    paths_s, shares = tandem.paths(UNLIMITED, UNLIMITED)
    ttft_s = paths_s[shares > 0] if len(paths_s) > len(step_s) else paths_s
    if tandem.first_by_decode:
        ttft_s = ttft_s + work.step_s(1.0)
    weights, share = target.weights / max(float(target.weights.sum()), 1e-12), target.slo.attainment
    return InfeasibleSlo(
        ttft_s=_weighted_quantile(ttft_s * (target.slo.ttft_s / target.ttft_s), weights, share),
        tpot_s=_weighted_quantile(step_s, weights, share),
        attainment=reach,
    )


def _aim(
    tandem: Tandem, spec: FleetSpec, infeasible: InfeasibleSlo | None, spare: float
) -> tuple[Tandem, Floats]:
    """The SLO and the shares to size for: those asked, or the nearest that idle engines reach."""
    asked, reach = goals_of(tandem), tandem.attainments(UNLIMITED, UNLIMITED)
    if infeasible is None:
        return tandem, np.minimum(asked, reach - spare * (1 - asked))
    if reach.min() < HALF:
        tandem = Tandem(tandem.demand, _relaxed(tandem, spec, reach))
        reach = tandem.attainments(UNLIMITED, UNLIMITED)
    left = np.where(reach < asked, max(spare, SPARE), spare)
    return tandem, np.minimum(asked, reach - left * (1 - asked))


def _relaxed(tandem: Tandem, spec: FleetSpec, reach: Floats) -> FleetSpec:
    """The spec with targets that idle engines meet, for those of which they meet not even half."""
    slos = {
        each.name: _nearest(each.slo, _limit(tandem, each, share))
        for each, share in zip(tandem.targets, reach.tolist(), strict=True)
        if share < HALF
    }
    classes = tuple(replace(each, slo=slos.get(each.name, each.slo)) for each in spec.classes)
    return replace(spec, slo=slos.get(targets.OTHERS, spec.slo), classes=classes)


def _nearest(slo: Slo, limit: InfeasibleSlo) -> Slo:
    stretch = max(RELAXED * limit.ttft_s / slo.ttft_s, 1.0)
    return replace(
        slo,
        ttft_s=slo.ttft_s * stretch,
        tpot_s=max(slo.tpot_s, RELAXED * limit.tpot_s),
        tiers=tuple(replace(tier, ttft_s=tier.ttft_s * stretch) for tier in slo.tiers),
    )


def _price(spec: FleetSpec) -> Price:
    """Money where every replica has a price, else accelerators."""
    accelerators, money = region.prices(spec)
    return money if _is_priced(spec) else accelerators


def _is_priced(spec: FleetSpec) -> bool:
    return all(
        profile.cost_per_hour for role in Role for profile in pools.filling(spec.roles[role]).profiles
    )


def _each_price(spec: FleetSpec) -> Mapping[Role, Mapping[str, float]]:
    """What a replica of each pool costs."""
    is_priced = _is_priced(spec)
    filled = {role: pools.filling(spec.roles[role]) for role in Role}
    return {
        role: {
            name: of.cost_per_hour if is_priced else of.accelerators
            for name, of in zip(each.names, each.profiles, strict=True)
        }
        for role, each in filled.items()
    }


def _worth(tandem: Tandem, spec: FleetSpec) -> Mapping[Role, Mapping[str, float]]:
    """Requests a second of a replica of each pool; 0 where it keeps the SLO from being met, even idle."""
    goals = np.minimum(goals_of(tandem), tandem.attainments(UNLIMITED, UNLIMITED))
    counts = [range(len(tandem.fillings[role].names)) for role in Role]
    met = np.array(
        [[bool((tandem.idle(p, d) >= goals).all()) for d in counts[1]] for p in counts[0]]
    )
    able = {Role.PREFILL: met.any(axis=1), Role.DECODE: met.any(axis=0)}
    return {
        role: dict(
            zip(tandem.fillings[role].names, able[role] * tandem.most_rps(role), strict=True)
        )
        for role in Role
    }


def _least_cost(tandem: Tandem, spec: FleetSpec) -> float:
    """What replicas cost that are busy all of their time."""
    busy = {role: max(_busy(tandem, role), pools.bounds(spec.roles[role])[0]) for role in Role}
    return cost(busy, _price(spec))


def _paid(sizing: Sizing) -> float:
    return cost(sizing.replicas, _price(sizing.spec))


def _rank(sizing: Sizing) -> tuple[bool, float, float]:
    """The cheapest that meets the SLO; where none does, what comes nearest."""
    attained = sizing.tandem.attainment(*_counts(sizing.replicas))
    if sizing.feasible:
        return False, round(_paid(sizing), 9), -attained
    lacks = goals_of(sizing.tandem) - sizing.tandem.attainments(*_counts(sizing.replicas))
    return True, float(lacks.max()), round(_paid(sizing), 9)


def _cheapest(tandem: Tandem, goals: Floats, region: Region, price: Price) -> list[Pair]:
    """Pairs of the region on the staircase of the goals, the cheapest first, of equals the best attaining."""
    found = list(_staircase(tandem, goals, region, price))
    found.sort(key=lambda pair: (round(cost(pair, price), 9), -tandem.attainment(*_counts(pair))))
    return found


def _staircase(tandem: Tandem, goals: Floats, region: Region, price: Price) -> Iterator[Pair]:
    """For each number of prefill replicas the fewest decode replicas, while it could be the cheapest."""
    enough = partial(meets, tandem, goals)
    least_prefills = _least(
        lambda count: enough(count, UNLIMITED), guess=_busy(tandem, Role.PREFILL)
    )
    least_decodes = _least(lambda count: enough(UNLIMITED, count), guess=_busy(tandem, Role.DECODE))
    if least_prefills is None or least_decodes is None:
        return
    need, lowest = None, float("inf")
    for count, low, high in _columns(region, least_prefills):
        floor = {Role.PREFILL: count, Role.DECODE: max(least_decodes, low)}
        if cost(floor, price) > lowest:
            return
        guess = least_decodes if need is None else need
        need = _least(partial(enough, count), least_decodes, guess)
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


def _busy(tandem: Tandem, role: Role) -> int:
    """Replicas that are always busy, decode within the TPOT target."""
    each, filling = tandem.most_rps(role), tandem.fillings[role]
    if filling.is_plain:
        return ceil(tandem.rate_rps / each[0])
    together = filling.summed(dict(zip(filling.names, each, strict=True)), LARGEST)
    return int(np.searchsorted(together, tandem.rate_rps))


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
    tandem: Tandem, goals: Floats, pairs: list[Pair], chosen: Pair, price: Price
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
    attained = tandem.attainments(*_counts(best))
    worst = int(np.argmax(goals - attained))
    return RunnerUp(replicas=best, reason=words.short(float(attained[worst]), float(goals[worst])))


def _counts(pair: Pair) -> tuple[int, int]:
    return pair[Role.PREFILL], pair[Role.DECODE]


def _weighted_quantile(values: Floats, weights: Floats, share: float) -> float:
    order = np.argsort(values)
    place = int(np.searchsorted(np.cumsum(weights[order]), share - 1e-12))
    return float(values[order][min(place, len(values) - 1)])
