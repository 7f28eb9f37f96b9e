"""Pools: which replicas of which accelerators a role is made of.

A role with several pools is filled in an order: what each has at least, then pool after pool up to what
each has at most. So a number of replicas stands for one composition, prices and capacities are functions
of that number, and a search over compositions is one over orders (`orders`).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from itertools import permutations
from math import ceil

import numpy as np
from numpy.typing import NDArray

from tandem.perf.engine_profile import EngineProfile
from tandem.planner.demand import Floats, LengthMix
from tandem.planner.spec import Pool, RoleSpec

LARGEST = 4096  # replicas of a role that are considered
MOST_SMALL = 4  # replicas of another pool that may stand in for the last one of the first


@dataclass(frozen=True)
class Filling:
    """Kinds of replica by name, and blocks (kind, replicas) in the order in which they are taken.

    Kinds stand in the order of their names, whatever that of the blocks; `main` is the one that others are
    measured by. Beyond all blocks the last goes on without end.
    """

    names: tuple[str, ...]
    profiles: tuple[EngineProfile, ...]
    main: int
    blocks: tuple[tuple[int, int], ...]

    @property
    def is_plain(self) -> bool:
        """Whether all replicas are of one kind."""
        return len(self.names) == 1

    @cached_property
    def most(self) -> int:
        """Replicas of all blocks."""
        return sum(count for _, count in self.blocks)

    @cached_property
    def accelerators(self) -> Floats:
        """What 0, 1, ... `LARGEST` replicas take together."""
        return self.summed([float(each.accelerators) for each in self.profiles])

    @cached_property
    def cost_per_hour(self) -> Floats:
        """The same in money."""
        return self.summed([each.cost_per_hour for each in self.profiles])

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

    def summed(self, each: Sequence[float]) -> Floats:
        """What 0, 1, ... `LARGEST` replicas make together when one of a kind makes so much."""
        parts = [np.full(min(count, LARGEST), each[kind]) for kind, count in self.blocks]
        parts.append(np.full(LARGEST, each[self.blocks[-1][0]]))
        return np.concatenate([np.zeros(1), np.cumsum(np.concatenate(parts)[:LARGEST])])


def filling(role: RoleSpec) -> Filling:
    """How a role is filled."""
    if role.pools:
        return _filling(role.pools)
    return Filling((role.profile.name,), (role.profile,), 0, ((0, role.max_replicas),))


@lru_cache(maxsize=64)
def _filling(pools: tuple[Pool, ...]) -> Filling:
    kinds = dict(sorted((pool.name, pool.profile) for pool in pools))
    names = tuple(kinds)
    least = [(names.index(pool.name), pool.min_replicas) for pool in pools]
    more = [
        (names.index(pool.name), max(pool.max_replicas - pool.min_replicas, 0)) for pool in pools
    ]
    main = names.index(pools[0].name)
    blocks = tuple(block for block in (*least, *more) if block[1])
    return Filling(names, tuple(kinds.values()), main, blocks or ((main, 0),))


def fitting(profiles: Iterable[EngineProfile], lengths: LengthMix) -> NDArray[np.bool_]:
    """Which requests fit the KV of every engine alone: the others are refused."""
    least = min(profile.kv.capacity_tokens for profile in profiles)
    fit: NDArray[np.bool_] = lengths.input_tokens + lengths.output_tokens <= least
    return fit


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


def cheapest_first(role: RoleSpec, of: Callable[[EngineProfile], float]) -> RoleSpec:
    """The role with the pools that take least of something first."""
    return replace(role, pools=tuple(sorted(role.pools, key=lambda pool: of(pool.profile))))


def orders(
    role: RoleSpec, worth: Mapping[str, float], price: Mapping[str, float]
) -> Iterator[RoleSpec]:
    """The role with its pools in every order that could be best, the likeliest first.

    `worth` is the load that a replica of each pool can carry, 0 where it can't meet the SLO: such a pool has
    no more than its minimum. `price` is what it costs. One order for each pool to be first, and those that
    put a few cheap replicas in the place of the first pool's last one.
    """
    if not role.pools:
        yield role
        return
    able = [pool for pool in role.pools if worth[pool.name] > 0]
    unable = [_only_least(pool) for pool in role.pools if able and pool not in able]
    ranked = sorted(able or role.pools, key=lambda pool: _dearness(pool, worth, price))
    for first in ranked:
        others = [pool for pool in ranked if pool is not first]
        yield _ordered(role, [first, *others], unable)
    for first, small in permutations(ranked, 2):
        others = [pool for pool in ranked if pool not in (first, small)]
        for few, rest in _few(small, ceil(price[first.name] / max(price[small.name], 1e-12)) - 1):
            yield _ordered(role, [first, few, *others, rest], unable)


def _few(pool: Pool, most: int) -> Iterator[tuple[Pool, Pool]]:
    """A pool in two: a few replicas that are there before all others, and the rest."""
    room = pool.max_replicas - pool.min_replicas
    for count in range(1, min(most, MOST_SMALL, room) + 1):
        least = pool.min_replicas + count
        yield (
            replace(pool, min_replicas=least, max_replicas=least),
            replace(pool, min_replicas=0, max_replicas=room - count),
        )


def _ordered(role: RoleSpec, pools: list[Pool], unable: list[Pool]) -> RoleSpec:
    return replace(role, profile=pools[0].profile, pools=(*pools, *unable))


def _only_least(pool: Pool) -> Pool:
    return replace(pool, max_replicas=pool.min_replicas)


def _dearness(pool: Pool, worth: Mapping[str, float], price: Mapping[str, float]) -> float:
    """The price of a unit of load."""
    return price[pool.name] / max(worth[pool.name], 1e-12)
