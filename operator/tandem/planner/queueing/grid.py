"""Delays on a uniform grid of time, so that sums are convolutions and percentiles are read, not added.

A delay is an array of probability masses at 0, step, 2·step, ...; what lies beyond the grid is missing
from its sum: the mass at infinity. Since delays are not negative, a convolution cut at the grid's end
is exact up to there.
"""

from dataclasses import dataclass

import numpy as np
from scipy.fft import irfft, rfft

from tandem.planner.demand import Floats
from tandem.planner.queueing.wait import Wait

LEAST_MASS = 1e-9  # of a delay, that may be left out
DIRECT = 256  # points of the shorter delay up to which a sum is quicker without Fourier


@dataclass(frozen=True, slots=True)
class Grid:
    """`cells` points of time from zero on, `step_s` apart."""

    step_s: float
    cells: int

    @classmethod
    def over(cls, span_s: float, cells: int) -> "Grid":
        """The grid whose last point is at `span_s`."""
        return cls(span_s / (cells - 1), cells)

    @property
    def times_s(self) -> Floats:
        """Its points, shape (cells,)."""
        return np.arange(self.cells, dtype=np.float64) * self.step_s

    def points(self, seconds: Floats, weights: Floats) -> Floats:
        """Masses at given times, each shared between its two neighbours so that means are kept."""
        place = seconds / self.step_s
        place = np.where(place <= self.cells - 1, place, self.cells)  # beyond the grid, and cut
        below = place.astype(np.intp)
        upper = weights * (place - below)
        mass = np.bincount(below, weights - upper, self.cells + 2).astype(np.float64, copy=False)
        mass += np.bincount(below + 1, upper, self.cells + 2)
        return mass[: self.cells]

    def wait(self, wait: Wait) -> Floats:
        """Masses of a queue's wait: an atom at zero, then each cell's share at its two ends."""
        beyond = wait.beyond(self.times_s)
        halves = (beyond[:-1] - beyond[1:]) / 2
        mass = np.zeros(self.cells)
        mass[0] = 1 - wait.probability
        mass[:-1] += halves
        mass[1:] += halves
        return mass

    def summed(self, one: Floats, other: Floats) -> Floats:
        """Masses of the sum of two independent delays, cut at the grid's end; the shorter is `other`."""
        share = other.cumsum()
        kept = int(share.searchsorted(share[-1] - LEAST_MASS)) + 1
        if kept <= DIRECT:
            return np.convolve(one, other[:kept])[: self.cells]
        spectrum = rfft(one, 2 * self.cells) * rfft(other, 2 * self.cells)
        masses: Floats = irfft(spectrum, 2 * self.cells)[: self.cells]
        return masses

    def within(self, mass: Floats, seconds: Floats) -> Floats:
        """P(delay <= t) at each t, linear between the points; zero below zero."""
        share = np.clip(np.cumsum(mass) - mass / 2, 0.0, 1.0)
        return np.interp(seconds, self.times_s, share, left=0.0)

    def quantile_s(self, mass: Floats, shares: Floats) -> Floats:
        """The delays that these shares of requests do not exceed; infinite beyond the grid.

        The mass of a point is of its cell, half of which lies beyond it; what is at zero is there.
        """
        share = np.maximum.accumulate(mass.cumsum())
        return np.interp(shares, share, self.times_s + self.step_s / 2, left=0.0, right=np.inf)
