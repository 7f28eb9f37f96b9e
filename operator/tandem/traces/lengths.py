"""Lengths of generated prompts and answers: lognormal, with a mean that may drift."""

from dataclasses import dataclass, field
from math import log

import numpy as np

from tandem.traces.columns import Floats, Ints
from tandem.traces.waves import Wave, geometric


@dataclass(frozen=True, slots=True, kw_only=True)
class LengthLaw:
    """Tokens: mean over whole waves, coefficient of variation at one time, none over `longest`."""

    mean: float
    cv: float = 0.0
    swing: float = 1.0  # highest mean over lowest
    wave: Wave = field(default_factory=lambda: Wave(period_s=86_400.0))
    longest: int = 131_072


def drawn(times_s: Floats, law: LengthLaw, random: np.random.Generator) -> Ints:
    """A length for each time, 1 to `longest` tokens."""
    variance = log(1.0 + law.cv**2)  # of the logarithm
    lengths = random.lognormal(log(law.mean) - variance / 2, variance**0.5, size=len(times_s))
    tokens = np.rint(lengths * geometric(times_s, law.swing, law.wave))
    return np.clip(tokens, 1, law.longest).astype(np.int64)
