"""Frontiers: what attainment costs, and GPU-hours at the asked attainment.

A point is one run, or the mean of a parameter's runs over seeds. Only points that nobody beats in both
count (the lower envelope). Between the two around the asked attainment GPU-hours are interpolated
linearly in the logarithm of the miss share, because a step of replicas multiplies misses rather than
subtracting from them. Nothing is extrapolated: where no point reaches the attainment there is no figure,
and where all do it is that of the cheapest.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from math import log


@dataclass(frozen=True, slots=True)
class Outlay:
    """What attainment cost GPU-hours; `least_miss` stands for a miss share of none (half a request's)."""

    attainment: float
    gpu_hours: float
    least_miss: float

    @property
    def log_miss(self) -> float:
        """Logarithm of the miss share."""
        return log(max(1.0 - self.attainment, self.least_miss))


def envelope(points: Iterable[Outlay]) -> list[Outlay]:
    """Points that no other beats: rising attainment, rising GPU-hours."""
    kept: list[Outlay] = []
    for point in sorted(points, key=lambda p: (-p.attainment, p.gpu_hours)):
        if not kept or point.gpu_hours < kept[-1].gpu_hours:
            kept.append(point)
    return kept[::-1]


def at_target(points: Iterable[Outlay], attainment: float) -> float | None:
    """GPU-hours at an attainment; None where it is not reached."""
    front = envelope(points)
    if not front or front[-1].attainment < attainment:
        return None
    if front[0].attainment >= attainment:
        return front[0].gpu_hours
    low, high = next(pair for pair in pairwise(front) if pair[1].attainment >= attainment)
    aim = log(max(1.0 - attainment, high.least_miss))
    span = low.log_miss - high.log_miss
    share = (low.log_miss - aim) / span if span > 0 else 1.0
    return low.gpu_hours + min(max(share, 0.0), 1.0) * (high.gpu_hours - low.gpu_hours)
