"""The built-in trace: bursty arrivals whose prompt and answer lengths drift apart within minutes.

Arrivals are a Cox process: a Poisson rate that a slow wave and a gamma factor, drawn anew every
`_BURST_S`, multiply. Lengths are lognormal with the mean and the coefficient of variation of Azure's
conversation trace (Patel et al., Splitwise, ISCA 2024: 1,155 +- 96 % tokens in, 211 +- 77 % out), and
their means move on waves of different periods: input per output token moves by a factor of four within
minutes, as in that trace (3.3 to 10 within the hour). One model for tests and first steps, no substitute
for a trace of one's own.
"""

from math import isfinite, log

import numpy as np
from numpy.typing import NDArray

from tandem.errors import InvalidInputError
from tandem.traces.model import Trace
from tandem.traces.request import TraceRequest

NAME = "generated"
AZURE_RATE_RPS = 5.5  # mean of the conversation trace

_Floats = NDArray[np.float64]
_BURST_S = 15.0  # how long one burst factor lasts; longer bursts outlast more of a cold start
_BURST_SHAPE = (
    8.0  # variance of the factor is 1/8: Fano factor of 10 s counts near 6 at 5.5 requests/s
)
_RATE_WAVE = (0.3, 900.0)  # amplitude of the logarithm, period in seconds
_INPUT = (1155.0, 0.96, (0.35, 600.0))  # mean, coefficient of variation, wave
_OUTPUT = (211.0, 0.77, (-0.35, 420.0))
_LONGEST_TOKENS = 16_384  # no tail that an engine of 32k context could not hold


def generate(rate_rps: float, duration_s: float, seed: int) -> Trace:
    """A seeded trace of about `rate_rps` x `duration_s` requests."""
    for field, value in (("--rate", rate_rps), ("--duration", duration_s)):
        if not (isfinite(value) and value > 0):
            raise InvalidInputError(field, value, "a finite number above 0")
    random = np.random.default_rng(seed)
    arrivals_s = _arrivals_s(rate_rps, duration_s, random)
    inputs = _lengths(arrivals_s, _INPUT, random)
    outputs = _lengths(arrivals_s, _OUTPUT, random)
    rows = zip(arrivals_s.tolist(), inputs, outputs, strict=True)
    requests = tuple(
        TraceRequest(arrival_s=arrival_s, input_tokens=input_tokens, output_tokens=output_tokens)
        for arrival_s, input_tokens, output_tokens in rows
    )
    if not requests:
        few = "high enough for one request within the duration"
        raise InvalidInputError("--rate", rate_rps, few)
    return Trace(name=NAME, requests=requests, span_s=duration_s)


def _arrivals_s(rate_rps: float, duration_s: float, random: np.random.Generator) -> _Floats:
    """Arrival times: slots of constant rate, Poisson counts, uniform within each."""
    starts_s = np.arange(0.0, duration_s, _BURST_S)
    widths_s = np.minimum(_BURST_S, duration_s - starts_s)
    burst = random.gamma(_BURST_SHAPE, 1.0 / _BURST_SHAPE, size=len(starts_s))
    counts = random.poisson(rate_rps * burst * _wave(starts_s, _RATE_WAVE) * widths_s)
    slots = np.repeat(np.arange(len(starts_s)), counts)
    return np.sort(starts_s[slots] + widths_s[slots] * random.random(len(slots)))


def _lengths(
    arrivals_s: _Floats,
    law: tuple[float, float, tuple[float, float]],
    random: np.random.Generator,
) -> list[int]:
    mean, variation, wave = law
    variance = log(1.0 + variation**2)  # of the logarithm
    lengths = random.lognormal(log(mean) - variance / 2, variance**0.5, size=len(arrivals_s))
    tokens = np.rint(lengths * _wave(arrivals_s, wave))
    clipped: list[int] = np.clip(tokens, 1, _LONGEST_TOKENS).astype(int).tolist()
    return clipped


def _wave(times_s: _Floats, wave: tuple[float, float]) -> _Floats:
    """exp(A sin(2πt/T)) over its own mean, I₀(A): a factor of mean 1."""
    amplitude, period_s = wave
    factor: _Floats = np.exp(amplitude * np.sin(2 * np.pi * times_s / period_s))
    return factor / np.i0(amplitude)
