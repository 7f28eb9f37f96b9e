"""A wait in a queue: nothing for some, a tail for the others, endless when overloaded."""

from dataclasses import dataclass
from math import inf, log

import numpy as np

from tandem.planner.demand import Floats

FLAT = 1e-9  # a fall of ln P between two knots, so small that P is constant
LEAST_LN = -1e4  # of a probability that is nought


@dataclass(frozen=True, slots=True, eq=False)
class Wait:
    """P(W > 0) = `probability`; a tail that ends with the rate `decay_per_s`; a decay of 0 never ends.

    Without knots the tail is exponential. With them ln P(W > t) is a line from one (`knots_s`, `logs`)
    to the next, the first at zero, and the last rate holds from the last knot on.
    """

    probability: float
    decay_per_s: float
    knots_s: Floats | None = None
    logs: Floats | None = None

    def beyond(self, seconds: Floats) -> Floats:
        """P(W > t) at each t; 1 below zero."""
        if not self.probability:
            return (seconds < 0).astype(np.float64)
        tail = np.exp(self._ln_beyond(np.maximum(seconds, 0.0)))
        return np.where(seconds < 0, 1.0, tail)

    def miss(self, slack_s: float) -> float:
        """P(W > slack) for one slack; 1 when there is none."""
        return 1.0 if slack_s < 0 else float(np.exp(self._ln_beyond(np.array(slack_s))))

    def quantile_s(self, share: float) -> float:
        """The wait that this share of requests does not exceed."""
        if self.probability <= 1 - share:
            return 0.0
        if self.is_endless:
            return inf
        ln_rest, knots_s, logs = log(1 - share), *self._line()
        if ln_rest < logs[-1]:
            return float(knots_s[-1]) + (float(logs[-1]) - ln_rest) / self.decay_per_s
        return float(np.interp(-ln_rest, -logs, knots_s))

    @property
    def mean_s(self) -> float:
        """Mean over all requests: each stretch between two knots is exponential."""
        if self.is_endless:
            return inf
        if self.knots_s is None:
            return self.probability / self.decay_per_s
        knots_s, logs = self._line()
        spans_s, falls, shares = np.diff(knots_s), -np.diff(logs), np.exp(logs)
        means = np.where(falls > FLAT, -np.diff(shares) / np.maximum(falls, FLAT), shares[:-1])
        return float(spans_s @ means + shares[-1] / self.decay_per_s)

    @property
    def is_endless(self) -> bool:
        """Whether the queue grows without bound."""
        return self.decay_per_s <= 0

    def _ln_beyond(self, seconds: Floats) -> Floats:
        knots_s, logs = self._line()
        last = self.decay_per_s * np.maximum(seconds - knots_s[-1], 0.0)
        ln_beyond: Floats = np.interp(seconds, knots_s, logs) - last
        return ln_beyond

    def _line(self) -> tuple[Floats, Floats]:
        if self.knots_s is not None and self.logs is not None:
            return self.knots_s, self.logs
        return np.zeros(1), np.array([log(self.probability) if self.probability else LEAST_LN])


NO_WAIT = Wait(0.0, 1.0)
ENDLESS = Wait(1.0, 0.0)
