"""Packing: which pairs of replicas domains can hold; a pod lies in one domain, whole.

What is left of a domain beside some prefill pods holds whole decode pods or none, so for each number of
prefill replicas there is a most of decode replicas beside them, and fewer fit too.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from tandem.api.role import Role
from tandem.planner.pools import LARGEST
from tandem.planner.spec import FleetSpec

Integers = NDArray[np.int64]
NONE_FITS = -1  # decode replicas, where the prefill replicas alone are too many


@dataclass(frozen=True, slots=True, kw_only=True)
class Packing:
    """Accelerators of each domain, the largest first, and of one replica of each role."""

    sizes: tuple[int, ...]
    prefill: int
    decode: int

    def most_decodes(self, prefills: Integers) -> Integers:
        """Most decode replicas beside so many prefill replicas; negative where these do not fit."""
        most = _most(self.sizes, self.prefill, self.decode)
        fits = prefills < len(most)
        return np.where(fits, most[np.where(fits, prefills, 0)], NONE_FITS)

    def holds(self, prefills: int, decodes: int) -> bool:
        """Whether so many replicas fit together."""
        return bool(decodes <= self.most_decodes(np.array([prefills]))[0])

    @property
    def alone(self) -> tuple[int, int]:
        """Most replicas of each role where there are none of the other."""
        most = _most(self.sizes, self.prefill, self.decode)
        return len(most) - 1, int(most[0])


def of(spec: FleetSpec) -> Packing | None:
    """What the domains of a fleet hold; None where it has none."""
    if not spec.domains:
        return None
    prefill, decode = each(spec)
    sizes = sorted((max(domain.accelerators, 0) for domain in spec.domains), reverse=True)
    return Packing(sizes=tuple(sizes), prefill=prefill, decode=decode)


def each(spec: FleetSpec) -> tuple[int, int]:
    """Accelerators of one replica of each role."""
    prefill, decode = (spec.roles[role].profile.accelerators for role in Role)
    return prefill, decode


@lru_cache(maxsize=64)
def _most(sizes: Sequence[int], prefill: int, decode: int) -> Integers:
    """Most decode replicas beside 0, 1, ... prefill replicas, domain after domain."""
    most: Integers = np.zeros(1, dtype=np.int64)
    for size in sizes:
        own = [(size - p * prefill) // decode for p in range(min(size // prefill, LARGEST) + 1)]
        whole = np.full(min(len(most) + len(own) - 1, LARGEST + 1), NONE_FITS, dtype=np.int64)
        for p, beside in enumerate(own):
            part = whole[p : p + len(most)]
            np.maximum(part, most[: len(part)] + beside, out=part)
        most = whole
    most.setflags(write=False)
    return most
