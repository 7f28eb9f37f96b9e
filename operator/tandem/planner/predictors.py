"""Predictors: the root of the rate that comes a lead time after each of some moments, by what is known then.

Each is a function of the history, the moments and `Terms`; NaN where it knows nothing. In square roots,
because counts of a Poisson stream then have the same spread, ½/√window, at any rate, and because
differences of logarithms explode after idle minutes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil, sqrt

import numpy as np

from tandem.planner.demand import Floats
from tandem.planner.history import History

SURE = 2.0  # standard errors that a slope is drawn towards zero by: noise has no trend
MOST_GROWTH = 2.0  # of a root by a trend: the rate fourfold
LEAST_WATCH = 4.0  # part of a lead time that a half of a window lasts at least
LONG = 3.0  # windows of the slower trend
LEAST_LIKENESS = 0.5  # autocorrelation at a season's period
LEAST_PERIOD = 4.0  # lead times: what repeats sooner is a spread that pods can't follow
LEAST_SPREAD = 1e-9  # of squares: what is constant repeats nothing
LEAST_LOOKS = 16  # of a history in which a season can be seen


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Seconds of the window of a level, to the moment that is told, and of a season (0: none).

    `dispersion` is the variance over the mean of arrivals.
    """

    window_s: float
    lead_s: float
    period_s: float = 0.0
    dispersion: float = 1.0


Predictor = Callable[[History, Floats, Terms], Floats]


def level(history: History, at_s: Floats, terms: Terms) -> Floats:
    """It stays as it was over the window."""
    roots: Floats = np.sqrt(history.rates_rps(at_s, terms.window_s))
    return roots


def trend(history: History, at_s: Floats, terms: Terms) -> Floats:
    """It goes on as it went from the first half of the window to the second."""
    return _trend(history, at_s, terms, terms.window_s)


def long_trend(history: History, at_s: Floats, terms: Terms) -> Floats:
    """Likewise, over a longer window: a slow trend stands out of the noise there."""
    return _trend(history, at_s, terms, LONG * terms.window_s)


def season(history: History, at_s: Floats, terms: Terms) -> Floats:
    """It comes as it came a period before, half a lead time sooner or later: the higher of both halves.

    One mean over all of it would be ready for half of a steep rise.
    """
    if not terms.period_s:
        return np.full_like(at_s, np.nan)
    half_s, ago_s = terms.lead_s / 2, terms.period_s - terms.lead_s
    sooner, later = (history.rates_rps(at_s, half_s, ago_s=of) for of in (ago_s, ago_s - half_s))
    told = np.sqrt(np.fmax(sooner, later))
    known: Floats = np.where(at_s - ago_s - half_s >= history.start_s, told, np.nan)
    return known


PREDICTORS: tuple[Predictor, ...] = (level, trend, long_trend, season)  # season last


def telling(terms: Terms) -> Sequence[tuple[int, Predictor]]:
    """Those that can know something, and their places."""
    return tuple(enumerate(PREDICTORS if terms.period_s else PREDICTORS[:-1]))


def period_s(history: History, step_s: float, least_s: float) -> float:
    """The period at which the hour is most like itself; 0 where it repeats nothing, or not yet twice.

    The peak of the autocorrelation of the detrended roots, after it has been below zero once: a return, and
    not the slowness of what is near.
    """
    ends_s = np.arange(history.end_s, history.start_s + step_s / 2, -step_s)
    if len(ends_s) < LEAST_LOOKS:
        return 0.0
    alike = _likeness(np.sqrt(np.fmax(history.rates_rps(ends_s, step_s), 0.0)))
    below = np.flatnonzero(alike < 0)
    first = max(ceil(least_s / step_s), int(below[0])) if len(below) else len(alike)
    if first >= len(alike):
        return 0.0
    best = first + int(np.argmax(alike[first:]))
    return best * step_s if alike[best] >= LEAST_LIKENESS else 0.0


def _likeness(roots: Floats) -> Floats:
    """Autocorrelation of detrended values at lags up to half their number; zeros where they are constant."""
    count = len(roots)
    times = np.arange(count) - (count - 1) / 2
    rest = roots - roots.mean()
    rest = rest - times * (times @ rest) / (times @ times)
    if rest @ rest <= LEAST_SPREAD * max(float(roots @ roots), LEAST_SPREAD):
        return np.zeros(count // 2 + 1)
    pairs = np.correlate(rest, rest, "full")[count - 1 :][: count // 2 + 1]
    alike: Floats = pairs / np.arange(count, count - len(pairs), -1) / (rest @ rest / count)
    return alike


def _trend(history: History, at_s: Floats, terms: Terms, window_s: float) -> Floats:
    """The level, and a slope drawn towards zero by what noise alone would make of it.

    A root of a rate over w has the standard error ½√(φ/w), φ the dispersion; a slope is of two of them.
    """
    roots = level(history, at_s, terms)
    half_s = min(window_s, history.span_s) / 2
    if half_s < terms.lead_s / LEAST_WATCH:
        return roots
    newer = np.sqrt(history.rates_rps(at_s, half_s))
    older = np.sqrt(history.rates_rps(at_s, half_s, ago_s=half_s))
    slope = (newer - older) / half_s
    doubt = SURE * sqrt(terms.dispersion / (2 * half_s)) / half_s
    sure = np.sign(slope) * np.maximum(np.abs(slope) - doubt, 0.0)
    ahead_s = min(terms.window_s, history.span_s) / 2 + terms.lead_s  # of the level's own middle
    most = MOST_GROWTH * np.maximum(newer, roots)
    told = roots + np.where(np.isfinite(sure), sure, 0.0) * ahead_s
    return np.minimum(np.maximum(told, 0.0), most)
