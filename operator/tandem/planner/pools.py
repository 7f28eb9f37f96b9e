"""Pools: which replicas of which accelerators a role is made of.

A role with several pools is filled in an order: what each has at least, then pool after pool up to what
each has at most. So a number of replicas stands for one composition, prices and capacities are functions
of that number, and a search over compositions is one over orders (`fillings`).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from itertools import product
from math import ceil

import numpy as np
from numpy.typing import NDArray

from tandem.api.role import Role
from tandem.perf.engine_profile import EngineProfile
from tandem.planner.spec import FleetSpec, Pool, RoleSpec

MOST_SMALL = 4  # replicas of another pool that may stand in for the last one of the first


@dataclass(frozen=True)
class Filling:
    """Kinds of replica by name, and blocks (kind, replicas) in the order in which they are taken.

    Beyond all blocks the last goes on without end.
    """

    names: tuple[str, ...]
    profiles: tuple[EngineProfile, ...]
    blocks: tuple[tuple[int, int], ...]

    @property
    def is_plain(self) -> bool:
        """Whether all replicas are of one kind."""
        return len(self.names) == 1

    @cached_property
    def most(self) -> int:
        """Replicas of all blocks."""
        return sum(count for _, count in self.blocks)

    def counts(self, replicas: int) -> tuple[int, ...]:
        """Replicas of each kind."""
        if self.is_plain:
            return (replicas,)
        counts, left = [0] * len(self.names), replicas
        for kind, count in self.blocks:
            counts[kind] += min(left, count)
            left -= min(left, count)
        counts[self.blocks[-1][0]] += left
        return tuple(counts)

    def summed(self, each: Mapping[str, float], most: int) -> NDArray[np.float64]:
        """What 0, 1, ... `most` replicas make together when one of a kind makes so much."""
        values = [each[name] for name in self.names]
        parts = [np.full(min(count, most), values[kind]) for kind, count in self.blocks]
        parts.append(np.full(most, values[self.blocks[-1][0]]))
        return np.concatenate([np.zeros(1), np.cumsum(np.concatenate(parts)[:most])])


def filling(role: RoleSpec) -> Filling:
    """How a role is filled."""
    if role.pools:
        return _filling(role.pools)
    return Filling((role.profile.name,), (role.profile,), ((0, role.max_replicas),))


@lru_cache(maxsize=64)
def _filling(pools: tuple[Pool, ...]) -> Filling:
    kinds = {pool.name: pool.profile for pool in pools}
    names = tuple(kinds)
    least = [(names.index(pool.name), pool.min_replicas) for pool in pools]
    more = [
        (names.index(pool.name), max(pool.max_replicas - pool.min_replicas, 0))
        for pool in pools
    ]
    blocks = tuple(block for block in (*least, *more) if block[1])
    return Filling(names, tuple(kinds.values()), blocks or ((0, 0),))


def bounds(role: RoleSpec) -> tuple[int, int]:
    """Fewest and most replicas of a role, its pools' own bounds among them."""
    if not role.pools:
        return role.min_replicas, role.max_replicas
    least = sum(pool.min_replicas for pool in role.pools)
    return max(role.min_replicas, least), min(role.max_replicas, filling(role).most)


def named(role: RoleSpec, replicas: int) -> Mapping[str, int]:
    """Replicas of each pool, by its name."""
    of = filling(role)
    return dict(zip(of.names, of.counts(replicas), strict=True))


def fillings(
    spec: FleetSpec, worth: Mapping[Role, Mapping[str, float]], price: Mapping[Role, Mapping[str, float]]
) -> Iterator[FleetSpec]:
    """The spec with the pools of each role in every order that could be best, the likeliest first.

    `worth` is the load that a replica of each pool can carry, 0 where it can't meet the SLO; `price` what
    it costs. A pool that can't meet the SLO has no more than its minimum.
    """
    orders = {role: tuple(_orders(spec.roles[role], worth[role], price[role])) for role in Role}
    for prefill, decode in product(orders[Role.PREFILL], orders[Role.DECODE]):
        yield replace(spec, roles={**spec.roles, Role.PREFILL: prefill, Role.DECODE: decode})


def _orders(
    role: RoleSpec, worth: Mapping[str, float], price: Mapping[str, float]
) -> Iterator[RoleSpec]:
    """One order for each pool to be first, and those that put a few cheap replicas before it."""
    if not role.pools:
        yield role
        return
    able = [pool for pool in role.pools if worth[pool.name] > 0]
    forced = [_only_least(pool) for pool in role.pools if pool.min_replicas and pool not in able]
    ranked = sorted(able or role.pools, key=lambda pool: _dearness(pool, worth, price))
    for first in ranked:
        others = [pool for pool in ranked if pool is not first]
        yield _ordered(role, [first, *others], forced)
    for first, small in product(ranked, ranked):
        ratio = ceil(price[first.name] / max(price[small.name], 1e-12)) - 1
        spare = min(ratio, MOST_SMALL, small.max_replicas - small.min_replicas)
        for count in range(1, spare + 1):
            few = replace(small, max_replicas=small.min_replicas + count)
            rest = replace(small, min_replicas=0, max_replicas=small.max_replicas - few.max_replicas)
            others = [pool for pool in ranked if pool not in (first, small)]
            yield _ordered(role, [few, first, *others, rest], forced)


def _ordered(role: RoleSpec, pools: list[Pool], forced: list[Pool]) -> RoleSpec:
    return replace(role, profile=pools[0].profile, pools=(*pools, *forced))


def _only_least(pool: Pool) -> Pool:
    return replace(pool, max_replicas=pool.min_replicas)


def _dearness(pool: Pool, worth: Mapping[str, float], price: Mapping[str, float]) -> float:
    """The price of a unit of load."""
    return price[pool.name] / max(worth[pool.name], 1e-12)
