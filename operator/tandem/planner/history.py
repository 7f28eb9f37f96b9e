"""Arrivals of the last hour as functions of time, that runs forth or back."""

import numpy as np

from tandem.planner.demand import Floats
from tandem.planner.memory import Rates

LEAST_COVER = 0.1  # of a window that must have been observed for its rate to count


class History:
    """How many requests came until a time, and how long one looked."""

    def __init__(self, times: Floats, arrived: Floats, watched: Floats) -> None:
        self._times, self._arrived, self._watched = times, arrived, watched

    @classmethod
    def of(cls, rates: Rates) -> "History":
        """Of what the memory holds."""
        table = np.array(rates, dtype=np.float64).reshape(-1, 3)
        ends, intervals, counts = table.T
        starts = np.maximum(ends - intervals, np.concatenate([[-np.inf], ends[:-1]]))
        return cls(
            np.column_stack([starts, ends]).ravel(),
            np.cumsum(np.column_stack([np.zeros_like(counts), counts]).ravel()),
            np.cumsum(np.column_stack([np.zeros_like(counts), ends - starts]).ravel()),
        )

    def backwards(self) -> "History":
        """The same with time running back: what came last came first, at times below zero."""
        arrived, watched = (total[-1] - total[::-1] for total in (self._arrived, self._watched))
        return History(-self._times[::-1], arrived, watched)

    @property
    def span_s(self) -> float:
        """From the first look to the last."""
        return float(self._times[-1] - self._times[0])

    @property
    def start_s(self) -> float:
        """Since when it was looked at."""
        return float(self._times[0])

    @property
    def end_s(self) -> float:
        """When it was looked at last."""
        return float(self._times[-1])

    def rates_rps(self, ends_s: Floats, window_s: float) -> Floats:
        """The rate over the window before each time; NaN where too little of it was watched."""
        arrived = self._within(self._arrived, ends_s, window_s)
        watched = self._within(self._watched, ends_s, window_s)
        enough = watched > LEAST_COVER * min(window_s, max(self.span_s, 1e-9))
        return np.divide(arrived, watched, out=np.full_like(arrived, np.nan), where=enough)

    def _within(self, total: Floats, ends_s: Floats, window_s: float) -> Floats:
        at = np.interp(ends_s, self._times, total)
        return at - np.interp(ends_s - window_s, self._times, total)
