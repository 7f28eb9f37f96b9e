"""Arrivals of the last hour as functions of time, that runs forth or back."""

import numpy as np
from numpy.typing import NDArray

from tandem.planner.cells import table
from tandem.planner.demand import Floats
from tandem.planner.memory import Rates

LEAST_COVER = 0.1  # of a window that must have been observed for its rate to count


class History:
    """How many requests came until a time, and how long one looked: real and imaginary part of one sum."""

    def __init__(self, times: Floats, seen: NDArray[np.complex128]) -> None:
        self._times, self._seen = times, seen
        # What was told already, by ids of times, which are kept so that no others get their place.
        self._until: dict[tuple[int, float], tuple[Floats, NDArray[np.complex128]]] = {}
        self._rates: dict[tuple[int, float, float], Floats] = {}
        self.start_s, self.end_s = float(times[0]), float(times[-1])
        self.span_s = self.end_s - self.start_s

    @classmethod
    def of(cls, rates: Rates) -> "History":
        """Of what the memory holds."""
        ends, intervals, counts = table(rates, 3).T
        times, gained = np.empty((len(ends), 2)), np.zeros((len(ends), 2), dtype=np.complex128)
        times[:, 0], times[:, 1] = ends - intervals, ends
        np.maximum(times[1:, 0], ends[:-1], out=times[1:, 0])
        gained[:, 1].real, gained[:, 1].imag = counts, ends - times[:, 0]
        return cls(times.ravel(), gained.ravel().cumsum())

    def backwards(self) -> "History":
        """The same with time running back: what came last came first, at times below zero."""
        return History(-self._times[::-1], self._seen[-1] - self._seen[::-1])

    def rates_rps(self, at_s: Floats, window_s: float, ago_s: float = 0.0) -> Floats:
        """The rate over a window that ended so long before each time; NaN where too little was watched.

        Predictors ask for the same: what was told of the same times is kept, and neither may be changed.
        """
        key = id(at_s), window_s, ago_s
        if key not in self._rates:
            self._rates[key] = self._rates_rps(at_s, window_s, ago_s)
        return self._rates[key]

    def _rates_rps(self, at_s: Floats, window_s: float, ago_s: float) -> Floats:
        seen = self._seen_until(at_s, ago_s) - self._seen_until(at_s, ago_s + window_s)
        enough = seen.imag > LEAST_COVER * min(window_s, max(self.span_s, 1e-9))
        rates: Floats = seen.real / np.where(enough, seen.imag, np.nan)
        return rates

    def _seen_until(self, at_s: Floats, ago_s: float) -> NDArray[np.complex128]:
        """The sum until so long before each time."""
        key = id(at_s), ago_s
        if key not in self._until:
            self._until[key] = at_s, np.interp(at_s - ago_s, self._times, self._seen)
        return self._until[key][1]
