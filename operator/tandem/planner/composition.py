"""Composition: which pools a role's replicas come from, where it has several.

Orders in which pools can be taken (`pools.orders`) are tried for both roles together, the cheapest first
by what each role would cost if the other were without end. That is a bound from below, so the search ends
at the first order that could not be cheaper than what was found.
"""

from collections.abc import Mapping
from dataclasses import replace
from itertools import product

from tandem.api.role import Role
from tandem.planner import pools, region, staircase
from tandem.planner.region import Price
from tandem.planner.spec import FleetSpec, RoleSpec
from tandem.planner.staircase import Found, Goal


def best(goal: Goal) -> Found:
    """The best answer over all orders; of the spec's own where no order meets the goal without bounds."""
    worth, each = _worth(goal), _each_price(goal.spec)
    orders = {
        role: tuple(pools.orders(goal.spec.roles[role], worth[role], each[role])) for role in Role
    }
    floors = {
        role: [_floor(_ordered(goal, {role: order}), role) for order in orders[role]]
        for role in Role
    }
    ranked = sorted(
        (floors[Role.PREFILL][p] + floors[Role.DECODE][d], p, d)
        for p, d in product(*(range(len(orders[role])) for role in Role))
    )
    found: Found | None = None
    for least, p, d in ranked:
        if found is not None and found.rank[0] == 0 and round(least, 9) >= found.rank[1]:
            break
        roles = {Role.PREFILL: orders[Role.PREFILL][p], Role.DECODE: orders[Role.DECODE][d]}
        other = staircase.found(_ordered(goal, roles))
        found = other if found is None or other.rank < found.rank else found
    return staircase.found(goal) if found is None else found


def price(spec: FleetSpec) -> Price:
    """Money where every replica has a price, else accelerators."""
    accelerators, money = region.prices(spec)
    return money if _is_priced(spec) else accelerators


def _is_priced(spec: FleetSpec) -> bool:
    profiles = (each for role in Role for each in pools.filling(spec.roles[role]).profiles)
    return all(profile.cost_per_hour for profile in profiles)


def _ordered(goal: Goal, roles: Mapping[Role, RoleSpec]) -> Goal:
    spec = replace(goal.spec, roles={**goal.spec.roles, **roles})
    fillings = {role: pools.filling(spec.roles[role]) for role in Role}
    return replace(goal, tandem=goal.tandem.filled(fillings), spec=spec, price=price(spec))


def _floor(goal: Goal, role: Role) -> float:
    """What a role costs at least, the other one without end."""
    count = staircase.least(goal, role)
    if count is None:
        return float("inf")
    count = max(count, pools.bounds(goal.spec.roles[role])[0])
    other = Role.DECODE if role is Role.PREFILL else Role.PREFILL
    return goal.cost({role: count, other: 0})


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


def _worth(goal: Goal) -> Mapping[Role, Mapping[str, float]]:
    """Requests a second of a replica of each pool; 0 where it keeps the goal from being met, even idle."""
    tandem = goal.tandem
    kinds = {role: tandem.fillings[role].names for role in Role}
    met = [
        [bool((tandem.idle(p, d) >= goal.shares).all()) for d in range(len(kinds[Role.DECODE]))]
        for p in range(len(kinds[Role.PREFILL]))
    ]
    able = {Role.PREFILL: [*map(any, met)], Role.DECODE: [*map(any, zip(*met, strict=True))]}
    return {
        role: {
            name: each if can else 0.0
            for name, each, can in zip(kinds[role], tandem.most_rps(role), able[role], strict=True)
        }
        for role in Role
    }
