"""What of a trace matters to who sizes and scales a fleet: how fast, how bursty, how long, how alike.

What a trace is too short or too simple to tell is None: a rate where all comes at one instant, a Fano
factor of fewer than two windows, a variation of fewer than two gaps.
"""
# ruff: noqa: A005 - the word of the field; nobody here needs the standard library's module

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from math import log2

import numpy as np

from tandem.traces.columns import Columns, Floats, Ints, columns
from tandem.traces.model import Trace

FANO_WINDOWS_S = (1.0, 10.0, 60.0)
PEAK_WINDOW_S = 10.0
RATIO_WINDOW_S = 600.0
_IDLE_WINDOW_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Lengths:
    """Tokens of one side of all requests; percentiles are interpolated between ranks."""

    mean: float
    p50: float
    p90: float
    p99: float
    largest: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """Input tokens for each output token: over all, and in the 10-minute windows with least and most."""

    mean: float
    least: float
    most: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """A trace in figures.

    Attributes:
        peak_rps: rate of the busiest whole 10 s.
        fano: variance over mean of arrival counts, by the windows' seconds; 1 is Poisson.
        gap_cv: standard deviation over mean of the gaps between arrivals; 1 is Poisson.
        idle_share: share of whole minutes in which nothing arrives.
        prefix_reuse: share of the input tokens of all requests that an endless cache would hold already;
            None where no request has block hashes.
        classes: requests by class, where there are classes.

    """

    requests: int
    span_s: float
    rate_rps: float | None
    peak_rps: float | None
    fano: Mapping[float, float | None]
    gap_cv: float | None
    idle_share: float | None
    input_tokens: Lengths
    output_tokens: Lengths
    input_per_output: Ratio
    prefix_reuse: float | None
    sessions: int
    classes: Mapping[str, int]


def statistics(trace: Trace) -> Statistics:
    """The figures of a trace of one or more requests."""
    seen, span_s = columns(trace), trace.duration_s
    return Statistics(
        requests=len(trace.requests),
        span_s=span_s,
        rate_rps=len(trace.requests) / span_s if span_s else None,
        peak_rps=_peak_rps(seen.arrival_s, span_s),
        fano={window_s: fano(seen.arrival_s, span_s, window_s) for window_s in FANO_WINDOWS_S},
        gap_cv=gap_cv(seen.arrival_s),
        idle_share=_idle_share(seen.arrival_s, span_s),
        input_tokens=_lengths(seen.input_tokens),
        output_tokens=_lengths(seen.output_tokens),
        input_per_output=_ratio(seen),
        prefix_reuse=prefix_reuse(trace),
        sessions=len({request.session for request in trace.requests} - {""}),
        classes=Counter(r.class_name for r in trace.requests if r.class_name),
    )


def fano(arrival_s: Floats, span_s: float, window_s: float) -> float | None:
    """Variance over mean of the counts of whole windows, empty ones too."""
    windows = int(span_s // window_s)
    counts = _counts(arrival_s, windows, window_s)
    if windows < 2 or not len(counts):  # noqa: PLR2004 - one window has no variance
        return None
    mean = counts.sum() / windows
    return float((counts.astype(float) ** 2).sum() / windows / mean - mean)


def gap_cv(arrival_s: Floats) -> float | None:
    """Standard deviation over mean of the gaps between arrivals."""
    gaps_s = np.diff(arrival_s)
    if len(gaps_s) < 2 or not gaps_s.any():  # noqa: PLR2004 - one gap does not vary
        return None
    return float(gaps_s.std() / gaps_s.mean())


def prefix_reuse(trace: Trace) -> float | None:
    """Share of all input tokens in leading blocks that an earlier request had."""
    if block_tokens(trace) is None:
        return None
    return float(reused_tokens(trace).sum() / sum(r.input_tokens for r in trace.requests))


def reused_tokens(trace: Trace) -> Ints:
    """Of each request the input tokens in leading blocks that an earlier one had."""
    block = block_tokens(trace) or 0
    known: set[int] = set()
    reused = np.zeros(len(trace.requests), dtype=np.int64)
    for place, request in enumerate(trace.requests if block else ()):
        ids = request.hash_ids
        hits = next((count for count, each in enumerate(ids) if each not in known), len(ids))
        reused[place] = min(hits * block, request.input_tokens)
        known.update(ids)
    return reused


def block_tokens(trace: Trace) -> int | None:
    """Tokens of a KV block, which no format tells: the power of two nearest to tokens over blocks.

    Mooncake lists a last block that is not full, the agent sessions don't: 502 tokens a block there and
    65.0 here, so 512 and 64. None where no request has block hashes.
    """
    hashed = [request for request in trace.requests if request.hash_ids]
    if not hashed:
        return None
    tokens = sum(request.input_tokens for request in hashed)
    return 1 << max(0, round(log2(tokens / sum(len(request.hash_ids) for request in hashed))))


def _counts(arrival_s: Floats, windows: int, window_s: float) -> Ints:
    """Arrivals of each whole window that has some: a span may hold more windows than memory."""
    places = np.floor(arrival_s / window_s)
    return np.unique(places[places < windows], return_counts=True)[1]


def _peak_rps(arrival_s: Floats, span_s: float) -> float | None:
    counts = _counts(arrival_s, int(span_s // PEAK_WINDOW_S), PEAK_WINDOW_S)
    return float(counts.max() / PEAK_WINDOW_S) if len(counts) else None


def _idle_share(arrival_s: Floats, span_s: float) -> float | None:
    minutes = int(span_s // _IDLE_WINDOW_S)
    busy = len(_counts(arrival_s, minutes, _IDLE_WINDOW_S))
    return 1 - busy / minutes if minutes else None


def _lengths(tokens: Ints) -> Lengths:
    p50, p90, p99 = np.percentile(tokens, (50, 90, 99)).tolist()
    return Lengths(mean=float(tokens.mean()), p50=p50, p90=p90, p99=p99, largest=int(tokens.max()))


def _ratio(seen: Columns) -> Ratio:
    _, inputs, outputs = token_sums(seen, RATIO_WINDOW_S)
    ratios = inputs / outputs
    return Ratio(
        mean=float(inputs.sum() / outputs.sum()),
        least=float(ratios.min()),
        most=float(ratios.max()),
    )


def token_sums(seen: Columns, window_s: float) -> tuple[Floats, Floats, Floats]:
    """Begin in seconds, input and output tokens of each window that has requests."""
    places, window = np.unique(np.floor(seen.arrival_s / window_s), return_inverse=True)
    inputs = np.bincount(window, weights=seen.input_tokens)
    outputs = np.bincount(window, weights=seen.output_tokens)
    begins_s: Floats = places * window_s
    return begins_s, inputs.astype(np.float64), outputs.astype(np.float64)
