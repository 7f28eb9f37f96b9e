"""Staircase: the cheapest pair of replicas that meets a goal, by a walk along a border.

More replicas never lower attainment, so the pairs that meet a goal have a staircase as their border:
for each number of prefill replicas the fewest decode replicas, never more than for the number before.
The walk starts at the fewest prefill replicas that could do at all and ends where what is left can only
cost more. The error budget is not split beforehand: attainment is joint, so a role takes of it what it
needs.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from math import ceil

import numpy as np

from tandem.api.role import Role
from tandem.planner import region
from tandem.planner.demand import Floats
from tandem.planner.pools import LARGEST
from tandem.planner.queueing.stages import UNLIMITED
from tandem.planner.queueing.tandem import Tandem
from tandem.planner.region import Pair, Price, Region
from tandem.planner.spec import FleetSpec

COLUMNS = 64  # numbers of prefill replicas that are looked at together


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Goal:
    """What is searched for: the shares that the targets of a tandem shall attain, at the least price.

    `alone` are those that decode shall attain where nobody waits for prefill.
    """

    tandem: Tandem
    shares: Floats
    alone: Floats
    spec: FleetSpec
    price: Price

    def meets(self, prefills: int, decodes: int) -> bool:
        """Whether so many replicas do."""
        return meets(self.tandem, self.shares, prefills, decodes)

    def cost(self, pair: Pair) -> float:
        """Rounded, so that equals are equal."""
        return round(region.cost(pair, self.price), 9)

    def attained(self, pair: Pair) -> float:
        """By all targets together."""
        return self.tandem.attainment(pair[Role.PREFILL], pair[Role.DECODE])

    def worst(self, pair: Pair) -> tuple[float, float]:
        """What the target attains that lacks most, and its goal."""
        attained = self.tandem.attainments(pair[Role.PREFILL], pair[Role.DECODE])
        place = int(np.argmax(self.shares - attained))
        return float(attained[place]), float(self.shares[place])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Found:
    """A pair, what it would be without bounds, and its staircase, the cheapest pair first.

    `is_allowed` tells whether there is any pair within all bounds.
    """

    goal: Goal
    replicas: Pair
    ideal: Pair
    pairs: list[Pair]
    is_allowed: bool

    @property
    def rank(self) -> tuple[float, float, float]:
        """The cheapest of those that meet the goal are least; where none does, what comes nearest."""
        attained, share = self.goal.worst(self.replicas)
        lack = round(max(share - attained, 0.0), 9) if self.is_allowed else float("inf")
        return lack, self.goal.cost(self.replicas), -self.goal.attained(self.replicas)


def found(goal: Goal) -> Found:
    """The cheapest allowed pair that meets the goal; else the one that serves the need best."""
    ideals = _cheapest(goal, Region(bounds=dict.fromkeys(Role, (1, LARGEST))))
    ideal = ideals[0] if ideals else dict.fromkeys(Role, LARGEST)
    allowed = region.of(goal.spec)
    pairs = ideals if allowed.allows(ideal) else _cheapest(goal, allowed)
    nearest = pairs[0] if pairs else allowed.nearest(ideal)
    return Found(
        goal=goal,
        replicas=nearest or ideal,
        ideal=ideal,
        pairs=pairs,
        is_allowed=nearest is not None,
    )


def shares_of(tandem: Tandem) -> Floats:
    """What each target asks for, shape (targets,)."""
    return np.array([each.slo.attainment for each in tandem.targets])


def meets(tandem: Tandem, shares: Floats, prefills: int, decodes: int) -> bool:
    """Whether every target attains its share."""
    if len(shares) == 1:
        return tandem.attainment(prefills, decodes) >= float(shares[0])
    return bool((tandem.attainments(prefills, decodes) >= shares).all())


def least(goal: Goal, role: Role) -> int | None:
    """The fewest replicas of a role that could do, with the other one without end; None: no number."""
    tandem = goal.tandem
    if role is Role.PREFILL:
        return _least(lambda count: goal.meets(count, UNLIMITED), guess=busy(tandem, role))
    return _least(
        lambda count: meets(tandem, goal.alone, UNLIMITED, count), guess=busy(tandem, role)
    )


def busy(tandem: Tandem, role: Role) -> int:
    """Replicas that are always busy, decode within the TPOT target."""
    each, filling = tandem.most_rps(role), tandem.fillings[role]
    rate_rps = tandem.prompts_rps if role is Role.PREFILL else tandem.rate_rps
    if filling.is_plain:
        return ceil(rate_rps / each[0])
    return int(np.searchsorted(filling.summed(each), rate_rps))


def _cheapest(goal: Goal, region: Region) -> list[Pair]:
    """Pairs of the region on the staircase, the cheapest first, of equals the best attaining."""
    return sorted(
        _staircase(goal, region), key=lambda pair: (goal.cost(pair), -goal.attained(pair))
    )


def _staircase(goal: Goal, region: Region) -> Iterator[Pair]:
    """For each number of prefill replicas the fewest decode replicas, while it could be the cheapest."""
    least_prefills, least_decodes = (least(goal, role) for role in Role)
    if least_prefills is None or least_decodes is None:
        return
    need, lowest = None, float("inf")
    for count, low, high in _columns(region, least_prefills):
        floor = {Role.PREFILL: count, Role.DECODE: max(least_decodes, low)}
        if goal.cost(floor) > lowest:
            return
        guess = least_decodes if need is None else need
        need = _least(partial(goal.meets, count), least_decodes, guess)
        if need is not None and max(need, low) <= high:
            pair = {Role.PREFILL: count, Role.DECODE: max(need, low)}
            lowest = min(lowest, goal.cost(pair))
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
