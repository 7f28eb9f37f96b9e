"""Placement's table: what so many pods serve of all arrivals when they lie in domains at best.

A knapsack: domain after domain takes the composition (p, d) with which all serve most, among those that fit
into it. Each domain alone gives the few compositions that serve more than all smaller ones.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from tandem.api.role import Role
from tandem.planner import packing
from tandem.planner.demand import Floats
from tandem.planner.region import Pair, Region
from tandem.planner.spec import Domain, FleetSpec

ROUNDING = 1e-9  # of shares
MOST_PAIRS = 300  # that a domain may hold and all are looked at; of more, those near the best ratio
# What more replicas than domains hold do: they serve no more, or have no place.
BESIDE = partial(np.pad, mode="edge")
NOWHERE = partial(np.pad, mode="constant", constant_values=-np.inf)
NEAR = 0.05  # of decode replicas beside the best ratio, and one: how near

Counts = tuple[int, int]  # prefill and decode replicas
Pad = Callable[..., Floats]
Serves = Callable[[int, int], float]  # of the arrivals, by replicas of a domain


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Table:
    """What so many replicas, placed at best, serve of all arrivals: `most[prefills, decodes]`.

    Domains stand the largest first. Per domain `chosen` holds which of its `compositions` it has, at each
    number of replicas in this domain and those before it; the first is none at all.
    """

    domains: tuple[Domain, ...]
    spec: FleetSpec
    most: Floats
    compositions: tuple[tuple[Counts, ...], ...]
    chosen: tuple[NDArray[np.int16], ...]

    def split(self, pods: Counts, count: int) -> tuple[Counts, ...] | None:
        """What lies in each of the first so many domains, with what serves nobody wherever there is room.

        None where that finds no room beside the others.
        """
        left = pods
        parts = [(0, 0)] * len(self.domains)
        for place in reversed(range(count)):
            chosen = self.chosen[place]
            at = min(left[0], len(chosen) - 1), min(left[1], chosen.shape[1] - 1)
            part = parts[place] = self.compositions[place][chosen[at]]
            left = left[0] - part[0], left[1] - part[1]
        return self._filled(_largest_first(self.domains, parts), left)

    def within(self, allowed: Region) -> NDArray[np.bool_]:
        """Which pairs are allowed."""
        prefills, decodes = (np.arange(size) for size in self.most.shape)
        low, high = allowed.bounds[Role.PREFILL]
        fewest, most = (each[:, None] for each in allowed.decodes(prefills))
        within: NDArray[np.bool_] = (fewest <= decodes) & (decodes <= most)
        within[(prefills < low) | (prefills > high)] = False
        return within

    def _filled(self, parts: Sequence[Counts], left: Counts) -> tuple[Counts, ...] | None:
        """The parts with the rest wherever it fits, the larger pods first."""
        full, spare = [list(part) for part in parts], list(left)
        each = packing.each(self.spec)
        for role in sorted((0, 1), key=lambda role: -each[role]):
            for domain, part in zip(self.domains, full, strict=True):
                room = domain.accelerators - part[0] * each[0] - part[1] * each[1]
                more = min(spare[role], max(room, 0) // each[role])
                part[role] += more
                spare[role] -= more
        return None if any(spare) else tuple((part[0], part[1]) for part in full)


def table(spec: FleetSpec, serves: Serves, box: Counts, ideal: Pair) -> Table:
    """Domain after domain, each with the composition that adds most; pods that serve nobody lie anywhere."""
    return _table(spec, box, lambda size: [*_useful(spec, size, serves, box, ideal)], BESIDE)


def exact(spec: FleetSpec, serves: Serves, pods: Counts) -> tuple[Counts, ...]:
    """What lies in each domain where each of these pods has a place and all serve most.

    None where they have no place, or where a domain may hold too many pairs to look at.
    """
    largest = max(domain.accelerators for domain in spec.domains)
    if len(_fitting(spec, largest, pods)) > MOST_PAIRS:
        return ()

    def parts(size: int) -> list[tuple[Counts, float]]:
        fitting = _fitting(spec, size, pods)
        return [(part, serves(*part) if min(part) > 0 else 0.0) for part in fitting if any(part)]

    found = _table(spec, pods, parts, NOWHERE)
    return found.split(pods, len(found.domains)) or ()


def _table(
    spec: FleetSpec,
    box: Counts,
    parts: Callable[[int], Sequence[tuple[Counts, float]]],
    beyond: Pad,
) -> Table:
    domains = sorted(spec.domains, key=lambda each: (-each.accelerators, each.name))
    most, compositions, chosen = np.zeros((1, 1)), [], []
    for size, alike in groupby(domains, key=lambda each: each.accelerators):
        of_size = parts(size)
        for _ in alike:
            most, choice = _with_domain(most, of_size, box, beyond)
            compositions.append(((0, 0), *(part for part, _ in of_size)))
            chosen.append(choice)
    return Table(
        domains=tuple(domains),
        spec=spec,
        most=_grown(most, box, beyond),
        compositions=tuple(compositions),
        chosen=tuple(chosen),
    )


def _fitting(spec: FleetSpec, size: int, pods: Counts) -> list[Counts]:
    """All that a domain can hold of so many pods."""
    prefill, decode = packing.each(spec)
    return [
        (p, d)
        for p in range(min(size // prefill, pods[0]) + 1)
        for d in range(min((size - p * prefill) // decode, pods[1]) + 1)
    ]


def _with_domain(
    before: Floats,
    useful: Sequence[tuple[Counts, float]],
    box: Counts,
    beyond: Pad,
) -> tuple[Floats, NDArray[np.int16]]:
    """What all serve with one more domain, and which composition it has."""
    ends = [
        min(size - 1 + max((part[role] for part, _ in useful), default=0), box[role])
        for role, size in enumerate(before.shape)
    ]
    before = _grown(before, (ends[0], ends[1]), beyond)
    most, choice = before.copy(), np.zeros(before.shape, dtype=np.int16)
    for index, ((p, d), share) in enumerate(useful, start=1):
        sums = before[: len(before) - p, : before.shape[1] - d] + share
        better = sums > most[p:, d:] + ROUNDING
        np.copyto(most[p:, d:], sums, where=better)
        np.copyto(choice[p:, d:], index, where=better)
    return most, choice


def _grown(most: Floats, box: Counts, beyond: Pad) -> Floats:
    """A table that reaches further."""
    rows, columns = (to + 1 - size for to, size in zip(box, most.shape, strict=True))
    return beyond(most, ((0, rows), (0, columns)))


def _useful(
    spec: FleetSpec, size: int, serves: Serves, box: Counts, ideal: Pair
) -> Iterator[tuple[Counts, float]]:
    """Compositions of a domain with what they serve, but for those that serve no more than a smaller one."""
    prefill, decode = packing.each(spec)
    whole = [
        (p, min((size - p * prefill) // decode, box[1]))
        for p in range(1, min(size // prefill, box[0]) + 1)
    ]
    is_large = sum(most for _, most in whole) > MOST_PAIRS
    known: dict[Counts, float] = {}
    for p, most in whole:
        for d in _near(p, most, spec, ideal) if is_large else range(1, most + 1):
            share = known[p, d] = serves(p, d)
            if share > max(known.get((p - 1, d), 0.0), known.get((p, d - 1), 0.0)):
                yield (p, d), share


def _near(prefills: int, most: int, spec: FleetSpec, ideal: Pair) -> range:
    """Decode replicas near the ratio of the pair that is best in one domain, within the bounds of ratio."""
    within = Region(bounds=dict.fromkeys(Role, (1, most)), ratio=spec.ratio)
    low, high = (int(each[0]) for each in within.decodes(np.array([prefills])))
    wish = prefills * ideal[Role.DECODE] / ideal[Role.PREFILL]
    middle, reach = min(max(wish, low), high), 1 + NEAR * wish
    return range(max(1, round(middle - reach)), min(most, round(middle + reach)) + 1)


def _largest_first(domains: Sequence[Domain], parts: Sequence[Counts]) -> list[Counts]:
    """Of domains alike the first has most: which is which means nothing."""
    ordered: list[Counts] = []
    both = zip(domains, parts, strict=True)
    for _, alike in groupby(both, key=lambda each: each[0].accelerators):
        ordered += sorted((part for _, part in alike), key=lambda part: (-sum(part), part))
    return ordered
