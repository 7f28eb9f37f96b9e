"""A wait in a queue: nothing for some, exponential for the others, endless when overloaded."""

from dataclasses import dataclass
from math import exp, inf, log

import numpy as np

from tandem.planner.demand import Floats


@dataclass(frozen=True, slots=True)
class Wait:
    """P(W > t) = probability · exp(−decay · t); a decay of 0 never ends."""

    probability: float
    decay_per_s: float

    def beyond(self, seconds: Floats) -> Floats:
        """P(W > t) at each t; 1 below zero."""
        tail = self.probability * np.exp(-self.decay_per_s * np.maximum(seconds, 0.0))
        return np.where(seconds < 0, 1.0, tail)

    def miss(self, slack_s: float) -> float:
        """P(W > slack) for one slack; 1 when there is none."""
        return 1.0 if slack_s < 0 else self.probability * exp(-self.decay_per_s * slack_s)

    def quantile_s(self, share: float) -> float:
        """The wait that this share of requests does not exceed."""
        if self.probability <= 1 - share:
            return 0.0
        return inf if self.is_endless else log(self.probability / (1 - share)) / self.decay_per_s

    @property
    def mean_s(self) -> float:
        """Mean over all requests."""
        return inf if self.is_endless else self.probability / self.decay_per_s

    @property
    def is_endless(self) -> bool:
        """Whether the queue grows without bound."""
        return self.decay_per_s <= 0


NO_WAIT = Wait(0.0, 1.0)
ENDLESS = Wait(1.0, 0.0)
