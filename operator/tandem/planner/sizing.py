"""Sizing: the cheapest pair of replicas that meets the SLO, or what comes nearest where none can.

What idle engines do not reach no number of replicas buys: then what they do reach is sized for, less half
of the error budget for waiting. The search is `staircase`; where a role has several pools, `composition`;
where pods lie in domains, `placement`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import isfinite

import numpy as np

from tandem.api.role import Role
from tandem.perf.engine_profile import EngineProfile
from tandem.planner import (
    composition,
    placed,
    placement,
    placement_words,
    pools,
    prediction,
    staircase,
    words,
)
from tandem.planner.demand import Demand, Floats
from tandem.planner.model import Prediction, RunnerUp
from tandem.planner.placed import Placement
from tandem.planner.pools import LARGEST
from tandem.planner.prediction import predict, weighted_quantile
from tandem.planner.queueing import targets
from tandem.planner.queueing.stages import UNLIMITED
from tandem.planner.queueing.tandem import Tandem
from tandem.planner.queueing.targets import Target
from tandem.planner.region import Pair, cost, counts
from tandem.planner.spec import FleetSpec, Slo
from tandem.planner.staircase import Found, Goal

__all__ = ["LARGEST", "InfeasibleSlo", "Sizing", "cost", "idle_limit", "predict", "size"]

HALF = 0.5  # of requests: below, the SLO itself is given up for the nearest one that can be met
SPARE = 0.5  # of the error budget, left to waiting where the SLO can't be met
RELAXED = 1.5  # times what an idle engine needs: the SLO that is aimed at then


@dataclass(frozen=True, slots=True, kw_only=True)
class InfeasibleSlo:
    """What idle engines reach: TTFT and TPOT at the asked share, and the share that meets both targets.

    Of classes, that of the one which falls short most: its name and the SLO that it asked for. Of TTFT
    tiers, TTFT stretched to the last one.
    """

    ttft_s: float
    tpot_s: float
    attainment: float
    name: str
    asked: Slo


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sizing:
    """An answer: replicas within all bounds, and `ideal`, what they would be without them.

    `feasible` tells whether `replicas` meet the SLO, that of each class; `infeasible` what could be met
    where none does. `spec` is what was asked, the pools of each role in the order in which they are taken.
    `placement` is where the replicas lie, of a fleet with domains.
    """

    replicas: Pair
    ideal: Pair
    runner_up: RunnerUp | None
    feasible: bool
    infeasible: InfeasibleSlo | None
    reasons: tuple[str, ...]
    tandem: Tandem
    spec: FleetSpec
    placement: Placement | None = None

    @property
    def prediction(self) -> Prediction:
        """What `replicas` would do; worked out when asked for, since a controller does not."""
        if self.placement is not None:
            return placed.predicted(self.placement.places)
        return prediction.of(self.tandem, *counts(self.replicas))

    @property
    def pools(self) -> Mapping[Role, Mapping[str, int]]:
        """Replicas of each pool of a role, by its name; of its profile where it has none."""
        roles = self.spec.roles
        return {role: pools.named(roles[role], count) for role, count in self.replicas.items()}


def size(
    demand: Demand, spec: FleetSpec, *, spare: float = 0.0, decode_share: float = 0.0
) -> Sizing:
    """The cheapest allowed pair that meets the SLO; else the one that serves the need best.

    Where lengths alone (prompts that no fleet serves in time) leave less than the share `spare` of the
    error budget, the goal is lowered by what lacks: else the last of the budget would be bought dearly.
    `decode_share` is what decode shall attain where nobody waits for prefill, if that is more than is asked
    of both.

    Where a role has several pools, they are taken in the order that makes it cheapest.
    """
    tandem = Tandem(demand, spec)
    infeasible = idle_limit(tandem)
    aim = _aim(tandem, spec, infeasible)
    asked, reach = staircase.shares_of(aim), aim.attainments(UNLIMITED, UNLIMITED)
    goal = Goal(
        tandem=aim,
        shares=_possible(asked, reach, spare),
        alone=_possible(np.maximum(asked, decode_share), reach, spare),
        spec=spec,
        price=composition.price(spec),
    )
    is_plain = all(filling.is_plain for filling in tandem.fillings.values())
    if spec.domains and is_plain:
        return _placed(placement.found(goal), tandem, infeasible)
    found = staircase.found(goal) if is_plain else composition.best(goal)
    tandem = tandem if is_plain else tandem.filled(found.goal.tandem.fillings)
    return Sizing(
        replicas=found.replicas,
        ideal=found.ideal,
        runner_up=_runner_up(found),
        feasible=found.is_allowed
        and staircase.meets(tandem, staircase.shares_of(tandem), *counts(found.replicas)),
        infeasible=infeasible,
        reasons=words.sizing(tandem, spec, found.replicas),
        tandem=tandem,
        spec=found.goal.spec,
    )


def _placed(found: Found, tandem: Tandem, infeasible: InfeasibleSlo | None) -> Sizing:
    """The answer of a fleet whose pods lie in domains."""
    spec, where = found.goal.spec, placement.of(found, tandem)
    attained = placed.attainments(where.places)
    return Sizing(
        replicas=found.replicas,
        ideal=found.ideal,
        runner_up=_runner_up(found),
        feasible=found.is_allowed and bool((attained >= staircase.shares_of(tandem)).all()),
        infeasible=infeasible,
        reasons=placement_words.sizing(tandem, spec, found.replicas, where),
        tandem=tandem,
        spec=spec,
        placement=where,
    )


def idle_limit(tandem: Tandem) -> InfeasibleSlo | None:
    """What idle engines reach when that is less than the SLO asks; None when the SLO can be met."""
    reach = tandem.attainments(UNLIMITED, UNLIMITED)
    lacks = staircase.shares_of(tandem) - reach
    worst = int(np.argmax(lacks))
    return None if lacks[worst] <= 0 else _limit(tandem, tandem.targets[worst], float(reach[worst]))


def _limit(tandem: Tandem, target: Target, reach: float) -> InfeasibleSlo:
    """What a class gets from idle engines."""
    work = tandem.decode(UNLIMITED).work
    step_s = work.step_s(1.0) + work.own_s
    ttft_s = tandem.path_s(UNLIMITED)
    if tandem.first_by_decode:
        ttft_s = ttft_s + work.step_s(1.0)
    weights, share = target.weights / max(float(target.weights.sum()), 1e-12), target.slo.attainment
    return InfeasibleSlo(
        ttft_s=weighted_quantile(ttft_s * (target.slo.ttft_s / target.ttft_s), weights, share),
        tpot_s=weighted_quantile(step_s, weights, share),
        attainment=reach,
        name=target.name,
        asked=target.slo,
    )


def _aim(tandem: Tandem, spec: FleetSpec, infeasible: InfeasibleSlo | None) -> Tandem:
    """What to size for: the targets asked, or the nearest that idle engines reach."""
    if infeasible is None:
        return tandem
    if not isfinite(infeasible.ttft_s):
        # no pods help a domain's link that is too slow: the rest must not lack too
        unshared = spec.with_engines(_unshared)
        tandem = Tandem(tandem.demand, unshared)
        return _aim(tandem, unshared, idle_limit(tandem))
    reach = tandem.attainments(UNLIMITED, UNLIMITED)
    return tandem if reach.min() >= HALF else Tandem(tandem.demand, _relaxed(tandem, spec, reach))


def _possible(asked: Floats, reach: Floats, spare: float) -> Floats:
    """The shares to size for: those asked, as far as idle engines leave something to waiting."""
    lacks = reach < asked
    least = np.where(lacks, max(spare, SPARE), spare) * (1 - asked)
    return np.minimum(asked, reach - least)


def _unshared(profile: EngineProfile) -> EngineProfile:
    """An engine whose link shares nothing."""
    return replace(profile, transfer=replace(profile.transfer, domain_bytes_per_s=0.0))


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


def _runner_up(found: Found) -> RunnerUp | None:
    """The next on the staircase; where there is none, the better of the pairs with one replica less."""
    goal, pairs, chosen = found.goal, found.pairs, found.replicas
    if len(pairs) > 1:
        more = goal.cost(pairs[1]) - goal.cost(chosen)
        reason = words.dearer(more, goal.attained(pairs[1]), goal.attained(chosen))
        return RunnerUp(replicas=pairs[1], reason=reason)
    less = [{**chosen, role: chosen[role] - 1} for role in Role if chosen[role] > 1]
    if not less:
        return None
    best = max(less, key=goal.attained)
    return RunnerUp(replicas=best, reason=words.short(*goal.worst(best)))
