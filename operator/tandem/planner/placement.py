"""Placement: how many pods of each role lie in which domain, where KV is handed over only within one.

Each domain is a tandem of its own, so what one big fleet gains by pooling ends at its border. Requests are
spread in proportion to what the pods of each domain serve within the SLO (`shares`): then all domains meet
it alike, and they do where these shares add up to all arrivals. So the cheapest placement is a knapsack of
compositions (p, d), one for each domain: by dynamic programming over the pods of all domains together.

The table reaches somewhat further than one domain without end would need, and where that is too little it
is made again for all pods that fit.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby, islice

import numpy as np

from tandem.api.role import Role
from tandem.planner import placed, placement_words, prediction, region, staircase
from tandem.planner.demand import Demand
from tandem.planner.model import Prediction
from tandem.planner.placed import Place, Placement
from tandem.planner.placement_table import ROUNDING, Counts, Serves, Table, exact, table
from tandem.planner.queueing.tandem import Tandem
from tandem.planner.region import Pair, Region, counts
from tandem.planner.shares import Shares
from tandem.planner.spec import FleetSpec
from tandem.planner.staircase import Found, Goal

REACH = 1.25  # times what one domain without end costs: how far a table reaches at first
LEAST_SHARE = 1e-6  # of the arrivals that pairs differ in
MOST_TRIES = 64  # pairs that serve most, until one can be placed whole


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Placing(Goal):
    """A goal whose pairs are placed: they attain what all requests do on average, domain by domain.

    `serves` is what requests are spread by: what is served within the SLO, or, where nobody is (`in_time`),
    what pods that are always busy do. `free` is the answer without domains.
    """

    free: Found
    table: Table
    serves: Serves
    in_time: bool
    _known: dict[Counts, tuple[Place, ...]] = field(default_factory=dict)

    def meets(self, prefills: int, decodes: int) -> bool:
        """Whether so many replicas do."""
        places = self.places({Role.PREFILL: prefills, Role.DECODE: decodes})
        return bool((placed.attainments(places) >= self.shares).all())

    def attained(self, pair: Pair) -> float:
        """By all targets together."""
        return placed.attainment(self.places(pair))

    def worst(self, pair: Pair) -> tuple[float, float]:
        """What the target attains that lacks most, and its goal."""
        attained = placed.attainments(self.places(pair))
        place = int(np.argmax(self.shares - attained))
        return float(attained[place]), float(self.shares[place])

    def places(self, pair: Pair) -> tuple[Place, ...]:
        """Where a pair lies at best; none where it can't be placed."""
        key = counts(pair)
        if key not in self._known:
            self._known[key] = tuple(self._places(self._split(pair)))
        return self._known[key]

    def served(self, pair: Pair) -> float:
        """Of the arrivals, where it lies at best."""
        return sum(self.serves(*each.counts) for each in self.places(pair))

    def _split(self, pair: Pair) -> tuple[Counts, ...]:
        """Over as few domains as do: as meet the goal, or serve as much as all.

        Where bounds ask for pods that serve nobody these may find no room beside the others, which then lie elsewhere.
        """
        pods = counts(pair)
        if any(own >= size for own, size in zip(pods, self.table.most.shape, strict=True)):
            return ()
        enough = min(float(self.table.most[pods]), 1.0) - ROUNDING
        for count in range(1, len(self.table.domains) + 1):
            split = self.table.split(pods, count)
            if split is not None and sum(self.serves(*part) for part in split) >= enough:
                return split
        return exact(self.spec, self.serves, pods)

    def _places(self, split: Sequence[Counts]) -> Iterator[Place]:
        served = [self.serves(*part) for part in split]
        total = sum(served) or 1.0
        for domain, part, own in zip(self.table.domains, split, served, strict=False):
            share = own / total
            yield Place(
                domain=domain,
                replicas=dict(zip(Role, part, strict=True)),
                share=share,
                tandem=self.tandem.shared(share),
            )


def found(goal: Goal) -> Found:
    """The cheapest allowed pair that meets the goal in its domains; else the one that serves most within it."""
    free = staircase.found(replace(goal, spec=replace(goal.spec, domains=())))
    allowed, shares = region.of(goal.spec), Shares(goal)
    for box in _boxes(goal, allowed, goal.cost(free.ideal)):
        placing = _placing(goal, shares, box, free)
        if pairs := _meeting(placing, allowed):
            break
    nearest = pairs[0] if pairs else _nearest(placing, allowed, free.ideal)
    return Found(
        goal=placing,
        replicas=nearest or free.ideal,
        ideal=free.ideal,
        pairs=pairs,
        is_allowed=nearest is not None,
    )


def of_pair(tandem: Tandem, spec: FleetSpec, pair: Pair) -> tuple[Place, ...]:
    """Where a pair lies so that it serves most; none where it can't be placed."""
    goal = _asked(tandem, spec)
    alone = Found(goal=goal, replicas=pair, ideal=pair, pairs=[], is_allowed=True)
    return _placing(goal, Shares(goal), counts(pair), alone).places(pair)


def attainment(tandem: Tandem, spec: FleetSpec, pair: Pair) -> float:
    """What a pair attains, in its domains where there are any."""
    if not spec.domains:
        return tandem.attainment(*counts(pair))
    return placed.attainment(of_pair(tandem, spec, pair))


def predict(demand: Demand, spec: FleetSpec, pair: Pair) -> Prediction:
    """What a fleet of this size does with this demand, in its domains where there are any."""
    if not spec.domains:
        return prediction.predict(demand, spec, pair)
    return placed.predicted(of_pair(Tandem(demand, spec), spec, pair))


def most_rps(tandem: Tandem, spec: FleetSpec, pair: Pair) -> float:
    """The highest rate that a pair serves within the SLO, to a hundredth."""
    places, shares = of_pair(tandem, spec, pair), Shares(_asked(tandem, spec))
    return tandem.demand.rate_rps * sum(shares.of(*each.counts) for each in places)


def of(found: Found, tandem: Tandem) -> Placement:
    """Where the pair that was found lies, told of a tandem with the targets that were asked for."""
    goal, pair = found.goal, found.replicas
    assert isinstance(goal, Placing)
    lies = goal.places(pair) if found.is_allowed else ()
    most = float(goal.table.most.max()) if goal.in_time else 0.0
    why = placement_words.reason(found, goal.free, most)
    return Placement(
        places=tuple(replace(each, tandem=tandem.shared(each.share)) for each in lies),
        reason=why,
    )


def _asked(tandem: Tandem, spec: FleetSpec) -> Goal:
    """The targets as the tandem has them."""
    price, _ = region.prices(spec)
    shares = staircase.shares_of(tandem)
    return Goal(tandem=tandem, shares=shares, alone=shares, spec=spec, price=price)


def _placing(goal: Goal, shares: Shares, box: Counts, free: Found) -> Placing:
    serves: Serves = shares.of
    best = table(goal.spec, serves, box, free.ideal)
    if not (in_time := bool(best.most.any())):
        serves = shares.busy
        best = table(goal.spec, serves, box, free.ideal)
    return Placing(
        tandem=goal.tandem,
        shares=goal.shares,
        alone=goal.alone,
        spec=goal.spec,
        price=goal.price,
        free=free,
        table=best,
        serves=serves,
        in_time=in_time,
    )


def _boxes(goal: Goal, allowed: Region, cost: float) -> Iterator[Counts]:
    """How many replicas of each role a table reaches to: at first by what they cost, then all that fit."""
    alone = (0, 0) if allowed.packing is None else allowed.packing.alone
    whole = tuple(min(allowed.bounds[role][1], fit) for role, fit in zip(Role, alone, strict=True))
    least = {role: staircase.least(goal, role) or 1 for role in Role}
    near = tuple(
        _reached(goal, {**least, role: most}, role, REACH * cost)
        for role, most in zip(Role, whole, strict=True)
    )
    yield from dict.fromkeys(((near[0], near[1]), (whole[0], whole[1])))


def _reached(goal: Goal, pair: Pair, role: Role, cost: float) -> int:
    """How many of a pair's replicas of a role are paid beside those of the other."""
    counts = range(pair[role] + 1)
    return max(
        bisect_right(counts, cost, key=lambda count: goal.cost({**pair, role: count})) - 1, 0
    )


def _meeting(placing: Placing, allowed: Region) -> list[Pair]:
    """Allowed pairs that meet the goal, the cheapest first and of equals the best attaining; of two prices.

    Only those whose number of prefill replicas could be the cheapest.
    """
    if not placing.in_time:
        return []
    best, pairs = placing.table, []
    for p, is_met in enumerate(best.within(allowed) & (best.most >= 1 - ROUNDING)):
        if is_met.any():
            pairs.append(dict(zip(Role, (p, int(is_met.argmax())), strict=True)))
    priced = groupby(sorted(pairs, key=placing.cost), key=placing.cost)
    sure = ([pair for pair in alike if placing.meets(*counts(pair))] for _, alike in priced)
    cheapest = [
        pair
        for alike in islice(filter(None, sure), 2)
        for pair in sorted(alike, key=lambda pair: -placing.attained(pair))
    ]
    least = staircase.least(placing.free.goal, Role.DECODE) or 1
    return [
        pair
        for pair in cheapest
        if placing.cost({**pair, Role.DECODE: least}) <= placing.cost(cheapest[0])
    ]


def _nearest(placing: Placing, allowed: Region, ideal: Pair) -> Pair | None:
    """The allowed pair that serves most, the cheapest of equals; near the best ratio where none serves any."""
    best = placing.table
    pairs = np.argwhere(best.within(allowed))
    if not len(pairs) or not placing.in_time:
        return allowed.nearest(ideal)
    served = best.most[tuple(pairs.T)]
    for served_at in np.unique(served.round(6))[::-1][:MOST_TRIES].tolist():
        alike = [
            dict(zip(Role, pair, strict=True))
            for pair in pairs[served.round(6) == served_at].tolist()
        ]
        for pair in sorted(alike, key=placing.cost):
            if placing.served(pair) >= served_at - LEAST_SHARE:
                return pair
    return allowed.nearest(ideal)
