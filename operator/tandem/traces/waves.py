"""Slow waves of a load: of its rate, and of the lengths of prompts and answers."""

from dataclasses import dataclass
from math import log

import numpy as np

from tandem.traces.columns import Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Wave:
    """One turn each `period_s`; `phase` is the part of a turn that it is ahead."""

    period_s: float
    phase: float = 0.0

    def sine(self, times_s: Floats) -> Floats:
        """Sin 2π(t/T + phase)."""
        turns: Floats = np.sin(2 * np.pi * (times_s / self.period_s + self.phase))
        return turns


def linear(times_s: Floats, amplitude: float, wave: Wave) -> Floats:
    """1 + A sin: a factor of mean 1 between 1 - A and 1 + A."""
    factor: Floats = 1 + amplitude * wave.sine(times_s)
    return factor


def geometric(times_s: Floats, swing: float, wave: Wave) -> Floats:
    """exp(A sin) over its own mean I₀(A): a factor of mean 1 whose highest is `swing` times its lowest."""
    amplitude = log(swing) / 2
    factor: Floats = np.exp(amplitude * wave.sine(times_s)) / np.i0(amplitude)
    return factor
