"""How bursty arrivals are: the index of dispersion of their counts over the last two minutes."""

from collections import deque
from statistics import fmean, pvariance

WINDOW_S = 120  # long enough for a variance, short enough to see a burst begin
LEAST_COUNTS = 10  # fewer counts than this say nothing about a variance


class ArrivalCounts:
    """Counts of whole seconds since `now_s`; those without arrivals count as much as the others."""

    def __init__(self, now_s: float) -> None:
        self._counts: deque[int] = deque(maxlen=WINDOW_S)
        self._second = int(now_s)
        self._now = 0

    def arrived(self, now_s: float) -> None:
        """One request came in."""
        self._advance(int(now_s))
        self._now += 1

    def dispersion(self, now_s: float, width_s: int) -> float | None:
        """Variance over mean of counts of `width_s`, whole ones only; None while there is too little.

        Example: 0, 4, 0, 4, ... a second has mean 2 and variance 4: dispersion 2 at 1 s, 0 at 2 s.
        """
        self._advance(int(now_s))
        seconds = list(self._counts)
        spare = len(seconds) % width_s
        counts = [
            sum(seconds[start : start + width_s]) for start in range(spare, len(seconds), width_s)
        ]
        if len(counts) < LEAST_COUNTS or not any(counts):
            return None
        mean = fmean(counts)
        return pvariance(counts, mean) / mean

    def _advance(self, second: int) -> None:
        passed = second - self._second
        if passed > 0:
            self._counts.append(self._now)
            self._counts.extend([0] * min(passed - 1, WINDOW_S))
            self._second, self._now = second, 0
