"""The default load: bursty arrivals whose prompt and answer lengths drift apart within minutes.

Arrivals are a Cox process: a Poisson rate that a slow sine and a gamma factor, drawn anew every 15 s,
multiply. Lengths are lognormal with the mean and the coefficient of variation of Azure's conversation
trace (Patel et al., Splitwise, ISCA 2024: 1,155 +- 96 % tokens in, 211 +- 77 % out), and their means
move on waves of different periods: input per output token moves by a factor of four within minutes, as
in that trace (3.3 to 10 within the hour). One model for tests and first steps, no substitute for a trace
of one's own.
"""

from dataclasses import replace
from math import exp

from tandem.traces.arrivals import ArrivalLaw
from tandem.traces.character import Character, generated
from tandem.traces.lengths import LengthLaw
from tandem.traces.model import Trace
from tandem.traces.waves import Wave

NAME = "generated"
AZURE_RATE_RPS = 5.5  # mean of the conversation trace
BUSY = 1 / 8  # variance of bursts: Fano factor of 10 s counts near 6 at 5.5 requests/s
_LONGEST_TOKENS = 16_384  # no tail that an engine of 32k context could not hold
_SWING = exp(0.7)  # of each length's mean, by a factor of two
AZURE_INPUT = LengthLaw(mean=1155.0, cv=0.96, longest=_LONGEST_TOKENS)
AZURE_OUTPUT = LengthLaw(
    mean=211.0,
    cv=0.77,
    wave=Wave(period_s=86_400.0, phase=0.5),  # against the input's, for who makes both swing
    longest=_LONGEST_TOKENS,
)


def generate(rate_rps: float, duration_s: float, seed: int) -> Trace:
    """A seeded trace of about `rate_rps` x `duration_s` requests."""
    return generated(character(rate_rps, duration_s), NAME, seed)


def character(rate_rps: float, duration_s: float) -> Character:
    """The default load's character at a rate."""
    return Character(
        duration_s=duration_s,
        arrivals=ArrivalLaw(
            rate_rps=rate_rps, burst_variance=BUSY, amplitude=0.3, wave=Wave(period_s=900.0)
        ),
        input=replace(AZURE_INPUT, swing=_SWING, wave=Wave(period_s=600.0)),
        output=replace(AZURE_OUTPUT, swing=_SWING, wave=Wave(period_s=420.0, phase=0.5)),
    )
