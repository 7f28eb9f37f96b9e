"""Arrivals of a generated load: a renewal process whose clock runs as fast as the rate is high.

1. The rate is its mean times a slow sine, times a gamma factor drawn anew each `BURST_S` (bursts), times
   0 in idle spells and what makes up for them in busy ones.
2. Gaps of mean 1 are drawn and added up: exponential ones (Poisson), or gamma ones of another variation.
3. Each sum is the integral of the rate from the begin to one arrival (time change of a renewal process).

Idle spells make an interrupted Poisson process. With rate r, idle spells of mean 1/β and busy ones of
mean 1/α, both exponential, the squared variation of its gaps is 1 + 2rα / (β(α + β)) (Kuczura, The
Interrupted Poisson Process as an Overflow Process, BSTJ 1973); solved for α, that gives how long a fleet
is busy between two idle spells.
"""

from dataclasses import dataclass, field

import numpy as np

from tandem.traces.columns import Floats
from tandem.traces.waves import Wave, linear

BURST_S = 15.0  # how long one burst factor lasts; longer bursts outlast more of a cold start
_STEP_S = 1.0  # of the integral of the rate
_EVEN = 1e-6  # a variation, or a variance, below which nothing varies
_FORGOTTEN = 20.0  # gaps times their squared variation, after which nobody knows how it began


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrivalLaw:
    """Requests a second on average, and how they vary.

    Attributes:
        gap_cv: standard deviation over mean of the gaps; with idle spells, what these make of it.
        idle_s: mean length of an idle spell, 0 for none. Needs 1 < gap_cv² < 1 + 2 rate idle_s.
        burst_variance: of the gamma factor that the rate has for `BURST_S` at a time.
        amplitude: of the rate's sine, as a share of its mean: 0 to 1.

    """

    rate_rps: float
    gap_cv: float = 1.0
    idle_s: float = 0.0
    burst_variance: float = 0.0
    amplitude: float = 0.0
    wave: Wave = field(default_factory=lambda: Wave(period_s=86_400.0))

    @property
    def busy_s(self) -> float:
        """Mean length of a busy spell, where there are idle ones; negative where there is none."""
        more = self.gap_cv**2 - 1
        return self.idle_s * (2 * self.rate_rps * self.idle_s / more - 1)


def burst_variance(fano: float, rate_rps: float) -> float:
    """The variance of the bursts for which counts of 10 s have that Fano factor.

    Of three windows of 10 s two lie within one burst of 15 s and one half in each of two, so the
    variance of a count is r·10 + (r·10)² v (2/3 + 1/3 · 1/2).
    """
    return (fano - 1) / (rate_rps * 10.0 * 5 / 6)


def drawn(law: ArrivalLaw, begin_s: float, end_s: float, random: np.random.Generator) -> Floats:
    """Sorted arrival times of [begin, end)."""
    knots_s = np.arange(begin_s, end_s, _STEP_S)
    spells_s = _spells_s(law, begin_s, end_s, random) if law.idle_s else np.array([begin_s])
    knots_s = np.unique(np.concatenate([knots_s, spells_s, [end_s]]))
    middles_s = (knots_s[1:] + knots_s[:-1]) / 2
    rate = law.rate_rps * linear(middles_s, law.amplitude, law.wave)
    rate *= _bursts(middles_s - begin_s, law.burst_variance, random)
    if law.idle_s:
        rate *= _busy(middles_s, spells_s) * (1 + law.idle_s / law.busy_s)
    passed = np.concatenate([[0.0], np.cumsum(rate * np.diff(knots_s))])
    points = _points(passed[-1], 1.0 if law.idle_s else law.gap_cv, random)
    arrivals_s: Floats = np.interp(points, passed, knots_s)
    return arrivals_s


def _points(total: float, gap_cv: float, random: np.random.Generator) -> Floats:
    """A renewal process of rate 1 on [0, total), begun long before."""
    ahead = _FORGOTTEN * gap_cv**2
    shape = None if gap_cv < _EVEN else gap_cv**-2.0
    sums, last = [], 0.0
    while last < ahead + total:
        left = ahead + total - last
        count = int(left + 4 * gap_cv * left**0.5) + 10
        gaps = np.ones(count) if shape is None else random.gamma(shape, 1 / shape, size=count)
        sums.append(last + np.cumsum(gaps))
        last = float(sums[-1][-1])
    points = np.concatenate(sums) - ahead if sums else np.array([])
    return points[(points >= 0) & (points < total)]


def _bursts(since_s: Floats, variance: float, random: np.random.Generator) -> Floats:
    if variance < _EVEN:
        return np.ones(len(since_s))
    slots = (since_s // BURST_S).astype(int)
    factors: Floats = random.gamma(1 / variance, variance, size=slots[-1] + 1)
    return np.take(factors, slots)


def _spells_s(law: ArrivalLaw, begin_s: float, end_s: float, random: np.random.Generator) -> Floats:
    """Begins of spells, busy and idle in turn; the first, at `begin_s` or before, is a busy one."""
    edges_s = [begin_s]
    if random.random() < law.idle_s / (law.idle_s + law.busy_s):
        edges_s.append(begin_s)  # a busy spell of no length: it begins idle
    while edges_s[-1] < end_s:
        idle_next = len(edges_s) % 2
        edges_s.append(edges_s[-1] + random.exponential(law.busy_s if idle_next else law.idle_s))
    return np.array(edges_s[:-1])


def _busy(times_s: Floats, spells_s: Floats) -> Floats:
    """1 in busy spells, 0 in idle ones."""
    number = np.searchsorted(spells_s, times_s, side="right")
    return (number % 2).astype(float)
