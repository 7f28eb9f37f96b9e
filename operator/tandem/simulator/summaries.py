"""Means and percentiles of what a run measured."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from math import exp, floor, log

import numpy as np

PERCENTILES = (50, 90, 95, 99)
_BUCKETS_PER_E = 1000  # a bucket is 0.1 % wide, so a percentile is within 0.05 %
_LEAST_S = 1e-9


@dataclass(frozen=True, slots=True)
class Summary:
    """Seconds; None where nothing was measured."""

    mean: float | None
    p50: float | None
    p90: float | None
    p95: float | None
    p99: float | None


NOTHING = Summary(None, None, None, None, None)


def summary(values: Iterable[float | None]) -> Summary:
    """Mean and percentiles of the values that are there, interpolated between ranks."""
    known = np.array([value for value in values if value is not None])
    if not known.size:
        return NOTHING
    return Summary(float(known.mean()), *np.percentile(known, PERCENTILES).tolist())


@dataclass(slots=True)
class Gaps:
    """Gaps between tokens: millions of them, counted in logarithmic buckets 0.1 % wide.

    The mean is exact, a percentile the middle of its bucket.
    """

    count: int = 0
    total_s: float = 0.0
    _buckets: dict[int, int] = field(default_factory=dict)

    def add(self, seconds: float, count: int) -> None:
        """So many gaps of one length."""
        bucket = floor(log(max(seconds, _LEAST_S)) * _BUCKETS_PER_E)
        self._buckets[bucket] = self._buckets.get(bucket, 0) + count
        self.count += count
        self.total_s += seconds * count

    def summary(self) -> Summary:
        """Mean and percentiles of all gaps."""
        if not self.count:
            return NOTHING
        return Summary(self.total_s / self.count, *(self._percentile(p) for p in PERCENTILES))

    def _percentile(self, percent: int) -> float:
        """The smallest gap that `percent` % of all do not exceed (nearest rank)."""
        ordered = sorted(self._buckets)
        below = np.cumsum([self._buckets[bucket] for bucket in ordered])
        rank = int(np.searchsorted(below, self.count * percent / 100))
        return exp((ordered[rank] + 0.5) / _BUCKETS_PER_E)
