"""Product form of a pool whose servers slow down with each resident.

    π(n) ∝ Π_{k≤n} rate·τ(k)/k,    τ(k) = fixed + each·k/replicas

(processor sharing with state-dependent speed: Cohen 1979, Kelly 1979). A pool has as many states as
residents, so a large one is lumped: neighbours of a smooth π are summed by their middle.
"""

from dataclasses import dataclass
from math import ceil, floor, sqrt

import numpy as np

from tandem.planner.demand import Floats

NODES = 96  # states that are computed; three times as many move no percentile by 0.1 %
SPREAD = 8.0  # standard deviations on each side of the mean that they cover


@dataclass(frozen=True, slots=True, kw_only=True)
class Sharing:
    """`rate` steps a second are asked of a pool whose iteration takes `fixed_s` + `each_s` a resident.

    A lone resident's iteration takes `alone_s` more than `fixed_s`. The pool holds `most`; more wait.
    """

    rate: float
    fixed_s: float
    each_s: float
    alone_s: float
    replicas: int
    most: float

    def load_s(self, residents: Floats) -> Floats:
        """Seconds that residents of the pool add to an iteration of their replica."""
        return np.maximum(self.each_s * residents / self.replicas, self.alone_s)

    def mean(self) -> float:
        """Residents where as many steps are done as are asked: the fluid limit n*."""
        alone = self.rate * (self.fixed_s + self.alone_s)
        if alone * self.each_s <= self.alone_s * self.replicas:
            return alone  # at most one in each replica: nobody slows anybody
        return self.rate * self.fixed_s / (1 - self.rate * self.each_s / self.replicas)

    def beyond(self, ratio: float) -> float:
        """Probability that the pool is full, its queue geometric with this ratio; 0 far below its edge."""
        mean = self.mean()
        if self.most > mean + SPREAD * self._deviation(mean) + SPREAD:
            return 0.0
        states = self._nodes()
        density, weights = self._density(states)
        full = float(density[-1]) / (1 - ratio)
        return full / (float(weights.sum() - density[-1]) + full)

    def states(self) -> tuple[Floats, Floats, float]:
        """States, their probabilities, and the probability that the pool is full and somebody waits.

        The queue is geometric, with the ratio of what is asked to what a full pool does; it is added to
        the last state.
        """
        states = self._nodes()
        density, weights = self._density(states)
        is_cut = bool(states[-1] >= self.most)
        full = float(density[-1]) / (1 - self._full_ratio()) if is_cut else 0.0
        if is_cut:
            weights[-1] += full - density[-1]
        total = float(weights.sum())
        return states, weights / total, full / total

    def _nodes(self) -> Floats:
        """States around the mean, one by one or in equal strides."""
        mean = self.mean()
        deviation = self._deviation(mean)
        low = max(0, floor(min(mean, self.most) - SPREAD * deviation))
        high = min(self.most, ceil(mean + SPREAD * deviation + SPREAD))
        stride = max(1.0, (high - low) / NODES)
        below = np.arange(low, high - stride / 2, stride, dtype=np.float64)
        states = np.empty(max(len(below), 1) + 1)
        states[0], states[: len(below)], states[-1] = low, below, high
        return states

    def _density(self, states: Floats) -> tuple[Floats, Floats]:
        """π at the states, over its largest, and with the states that each stands for."""
        middle = np.maximum((states[1:] + states[:-1] + 1) / 2, 1.0)
        ratio = self.rate * (self.fixed_s + self.load_s(middle)) / middle
        strides = states[1:] - states[:-1]
        logs = np.zeros(len(states))
        np.cumsum(strides * np.log(ratio), out=logs[1:])
        density = np.exp(logs - logs.max())
        widths = np.empty(len(states))
        widths[0], widths[-1] = strides[0], strides[-1]
        widths[1:-1] = (strides[1:] + strides[:-1]) / 2
        return density, density * widths

    def _deviation(self, mean: float) -> float:
        return sqrt(mean * (self.fixed_s + self.each_s * mean / self.replicas) / self.fixed_s)

    def _full_ratio(self) -> float:
        full_s = self.fixed_s + self.each_s * self.most / self.replicas
        return self.rate * full_s / self.most
