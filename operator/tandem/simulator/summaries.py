"""Means and percentiles of what a run measured."""

from dataclasses import dataclass
from math import ceil, exp, floor, log
from typing import Final

import numpy as np
from numpy.typing import NDArray

PERCENTILES = (50, 90, 95, 99)
_BUCKETS_PER_E: Final = 1000  # a bucket is 0.1 % wide, so a percentile is within 0.05 %
_LEAST_S: Final = 1e-9
_LONGEST_S: Final = 1e6
_FIRST: Final = -20_724  # bucket of the least gap
_COUNT: Final = 34_540  # of buckets, up to that of the longest


@dataclass(frozen=True, slots=True)
class Summary:
    """Seconds; None where nothing was measured."""

    mean: float | None
    p50: float | None
    p90: float | None
    p95: float | None
    p99: float | None


NOTHING = Summary(None, None, None, None, None)


def summary(values: NDArray[np.float64]) -> Summary:
    """Mean and percentiles of the values that are no NaN, interpolated between ranks."""
    known = values[~np.isnan(values)]
    if not known.size:
        return NOTHING
    return Summary(float(known.mean()), *np.percentile(known, PERCENTILES).tolist())


class Gaps:
    """Gaps between tokens: millions of them, counted in logarithmic buckets 0.1 % wide.

    The mean is exact, a percentile the middle of its bucket; shorter than a nanosecond and longer than
    eleven days is as good as that.
    """

    def __init__(self) -> None:
        self.count = 0
        self.total_s = 0.0
        self._buckets = [0] * _COUNT

    def add(self, seconds: float, count: int) -> None:
        """So many gaps of one length."""
        self.add_run(seconds, 0.0, 1, count)

    def add_run(self, first_s: float, slope_s: float, iterations: int, count: int) -> None:
        """So many gaps in each of some iterations, which get longer by `slope_s` each."""
        last_s = first_s + (iterations - 1) * slope_s
        self.count += iterations * count
        self.total_s += iterations * count * (first_s + last_s) / 2
        bucket, last = _bucket(first_s), _bucket(last_s)
        done = 0
        while bucket < last and done < iterations:
            edge_s = exp((bucket + _FIRST + 1) / _BUCKETS_PER_E)
            until = min(iterations, max(done, ceil((edge_s - first_s) / slope_s)))
            self._buckets[bucket] += (until - done) * count
            bucket, done = bucket + 1, until
        self._buckets[last] += (iterations - done) * count

    def summary(self) -> Summary:
        """Mean and percentiles of all gaps."""
        if not self.count:
            return NOTHING
        below = np.cumsum(self._buckets)
        return Summary(
            self.total_s / self.count, *(self._percentile(p, below) for p in PERCENTILES)
        )

    def _percentile(self, percent: int, below: NDArray[np.int64]) -> float:
        """The smallest gap that `percent` % of all do not exceed (nearest rank)."""
        bucket = int(np.searchsorted(below, self.count * percent / 100))
        return exp((bucket + _FIRST + 0.5) / _BUCKETS_PER_E)


def _bucket(seconds: float) -> int:
    """Its place among the buckets."""
    within_s = min(max(seconds, _LEAST_S), _LONGEST_S)
    return floor(log(within_s) * _BUCKETS_PER_E) - _FIRST
