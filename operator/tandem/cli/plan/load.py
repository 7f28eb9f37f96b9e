"""The load of `tandem plan`: from means and variations, or from a trace."""

from dataclasses import dataclass
from math import isfinite
from pathlib import Path

import numpy as np

from tandem.cli import options
from tandem.errors import InvalidInputError
from tandem.planner.demand import Demand, LengthMix, arrival_ca2, from_means, from_requests
from tandem.traces.model import Trace
from tandem.traces.read import read_trace

MOST_CV = 5.0  # of a lognormal: beyond it, one request in a million carries a tenth of the load
MOST_TOKENS = 1e7
WINDOW_S = 10.0  # of arrival counts in a trace: a few times as long as a busy pool remembers
LEAST_WINDOWS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Lengths:
    """Lengths as the user gives them."""

    input_tokens: float | None
    output_tokens: float | None
    input_cv: float
    output_cv: float


def demand(
    *, rate: float | None, lengths: Lengths, arrival_cv: float | None, trace: Path | None
) -> Demand:
    """The demand of the flags, or of the trace where they leave it open."""
    ca2 = 1.0 if arrival_cv is None else _variation("--arrival-cv", arrival_cv) ** 2
    if trace is None:
        return Demand(rate_rps=_rate(rate), lengths=stated(lengths), arrival_ca2=ca2)
    _only_one(lengths)
    read = read_trace(trace)
    return Demand(
        rate_rps=_rate(read.rate_rps if rate is None else rate),
        lengths=_seen(read),
        arrival_ca2=_dispersion(read) if arrival_cv is None else ca2,
    )


def _rate(rate: float | None) -> float:
    if rate is None:
        raise InvalidInputError("--rate", "nothing", "requests a second, or a --trace")
    if not isfinite(rate):
        raise InvalidInputError("--rate", rate, "a finite number; a trace of no duration has none")
    return options.positive("--rate", rate)


def stated(lengths: Lengths) -> LengthMix:
    """Lognormal lengths of these means and variations."""
    _variation("--isl-cv", lengths.input_cv)
    _variation("--osl-cv", lengths.output_cv)
    tokens = []
    for flag, value in (("--isl", lengths.input_tokens), ("--osl", lengths.output_tokens)):
        if value is None or not 1 <= value <= MOST_TOKENS:
            given = "nothing" if value is None else value
            raise InvalidInputError(flag, given, f"1 to {MOST_TOKENS:.0f} tokens, or a --trace")
        tokens.append(value)
    return from_means(*tokens, input_cv=lengths.input_cv, output_cv=lengths.output_cv)


def _only_one(lengths: Lengths) -> None:
    stated = {
        "--isl": lengths.input_tokens,
        "--osl": lengths.output_tokens,
        "--isl-cv": lengths.input_cv,
        "--osl-cv": lengths.output_cv,
    }
    for flag, value in stated.items():
        if value:
            raise InvalidInputError(flag, value, "left out: lengths come from the --trace")


def _variation(flag: str, value: float) -> float:
    if not 0 <= value <= MOST_CV:
        raise InvalidInputError(flag, value, f"a coefficient of variation from 0 to {MOST_CV:g}")
    return value


def _seen(trace: Trace) -> LengthMix:
    return from_requests(
        [request.input_tokens for request in trace.requests],
        [request.output_tokens for request in trace.requests],
    )


def _dispersion(trace: Trace) -> float:
    """Index of dispersion of arrival counts; Poisson where the trace is too short to tell."""
    windows = int(trace.duration_s // WINDOW_S)
    if windows < LEAST_WINDOWS:
        return 1.0
    arrivals = [request.arrival_s for request in trace.requests]
    counts, _ = np.histogram(arrivals, bins=windows, range=(0.0, windows * WINDOW_S))
    return float(arrival_ca2(counts.var() / max(counts.mean(), 1e-9)))
