"""Forecast: the rate to be ready for when a pod asked for now is there.

    (√level + Q[√x(s + h) − √x(s)])²

Level and x are rates over a window at least as long as the cold start; Q is a quantile of how much x has
moved within the lead time h. Square roots, because counts of a Poisson stream then have the same spread
at any rate, and because differences of logarithms explode after idle minutes. Until enough has been seen
Q leans on a prior spread: a fleet that starts knows nothing of its traffic.

Source: a throw-away league on five real traces, where this beat trends and last values; settings are leads
from there, not results.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from tandem.planner.demand import Floats
from tandem.planner.memory import Rates

SAMPLES_PER_WINDOW = 4
PRIOR_SAMPLES = 4.0  # independent lead times after which the prior has half the say
MOST_GROWTH = 2.0  # cap of the forecast over the highest rate seen within the hour
LEAST_COVER = 0.1  # of a window that must have been observed for its rate to count


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """Rates in requests a second: over the window until now, and to be ready for; how often x was seen."""

    level_rps: float
    rate_rps: float
    samples: float


class History:
    """Arrivals of the last hour as two functions of time: how many came, and how long one looked."""

    def __init__(self, rates: Rates) -> None:
        table = np.array(rates, dtype=np.float64).reshape(-1, 3)
        ends, intervals, counts = table.T
        starts = np.maximum(ends - intervals, np.concatenate([[-np.inf], ends[:-1]]))
        self._times = np.column_stack([starts, ends]).ravel()
        self._arrived = np.cumsum(np.column_stack([np.zeros_like(counts), counts]).ravel())
        self._watched = np.cumsum(np.column_stack([np.zeros_like(counts), ends - starts]).ravel())

    @property
    def span_s(self) -> float:
        """From the first look to the last."""
        return float(self._times[-1] - self._times[0])

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


def forecast(
    rates: Rates, *, window_s: float, lead_s: float, quantile: float, prior: float
) -> Forecast | None:
    """What to be ready for `lead_s` from the last look on; None when nothing was watched.

    `prior` is the relative spread of the rate that is assumed as long as nothing is known.
    """
    if not rates:
        return None
    history = History(rates)
    step_s = window_s / SAMPLES_PER_WINDOW
    ends_s = np.arange(history.end_s, history.end_s - history.span_s, -step_s)
    roots = np.sqrt(history.rates_rps(ends_s, window_s))
    level = float(roots[0]) if len(roots) and np.isfinite(roots[0]) else float("nan")
    if not np.isfinite(level):
        return None
    residual, samples = _residual(roots, round(lead_s / step_s), quantile)
    trust = samples / (samples + PRIOR_SAMPLES)
    assumed = float(ndtri(quantile)) * prior / 2 * level  # √(x(1 + p)) ≈ √x(1 + p/2)
    rise = trust * residual + (1 - trust) * assumed
    highest = float(np.nanmax(roots)) ** 2
    rate_rps = min(max(level + rise, 0.0) ** 2, MOST_GROWTH * highest)
    return Forecast(level_rps=level**2, rate_rps=rate_rps, samples=samples)


def _residual(roots: Floats, lag: int, quantile: float) -> tuple[float, float]:
    """The quantile of moves over `lag` samples, and how many of them are independent."""
    lag = max(lag, 1)
    moves = roots[:-lag] - roots[lag:]  # newest first
    moves = moves[np.isfinite(moves)]
    if not len(moves):
        return 0.0, 0.0
    return float(np.quantile(moves, quantile)), len(moves) / max(lag, SAMPLES_PER_WINDOW)
