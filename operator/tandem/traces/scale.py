"""Scaling a trace without stretching its time: a cold start does not stretch either.

A lower rate keeps some of the requests; a higher one lays copies over each other, each shifted by its
own random time and wrapped around the trace's end, so that no step appears that nobody had. A session
is kept, dropped or shifted as a whole.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from math import isfinite

import numpy as np

from tandem.errors import InvalidInputError
from tandem.traces import copies as copied
from tandem.traces.model import Trace, over
from tandem.traces.request import TraceRequest

MOST_REQUESTS = 10_000_000  # 2 GB of memory


def at_rate(trace: Trace, rate_rps: float, seed: int, field: str = "--rate") -> Trace:
    """The trace at another mean rate, over the same time; seeded."""
    if not (isfinite(rate_rps) and rate_rps > 0 and isfinite(trace.rate_rps)):
        raise InvalidInputError(field, rate_rps, "a rate above 0, of a trace that lasts some time")
    random = np.random.default_rng(seed)
    copies, fraction = divmod(rate_rps / trace.rate_rps, 1.0)
    _require_few(trace, copies + 1, field, rate_rps)
    laid = _laid(trace, int(copies) + bool(fraction), random)
    whole, last = laid[: int(copies)], laid[int(copies) :]
    kept = [list(_thinned(copy, fraction, random)) for copy in last]
    return _joined(trace, [*whole, *kept], field, rate_rps)


def thin(trace: Trace, share: float, seed: int, field: str = "--keep") -> Trace:
    """The trace with each request, or whole session, kept with probability `share`; seeded."""
    if not 0 < share <= 1:
        raise InvalidInputError(field, share, "a share above 0 and at most 1")
    kept = list(_thinned(trace.requests, share, np.random.default_rng(seed)))
    return _joined(trace, [kept], field, share)


def superpose(trace: Trace, copies: int, seed: int, field: str = "--copies") -> Trace:
    """So many copies over each other, the first where it was, the others shifted and wrapped; seeded."""
    if copies < 1:
        raise InvalidInputError(field, copies, "1 or more copies")
    _require_few(trace, copies, field, copies)
    if copies > 1:
        copied.require_time(trace, field, copies)
    laid = _laid(trace, copies, np.random.default_rng(seed))
    return _joined(trace, laid, field, copies)


def window(trace: Trace, start_s: float, duration_s: float, field: str = "--duration") -> Trace:
    """The requests of [start, start + duration), counted from its start; it ends with the trace at last."""
    end_s = start_s + duration_s
    requests = [
        replace(request, arrival_s=request.arrival_s - start_s)
        for request in trace.requests
        if start_s <= request.arrival_s < end_s
    ]
    if not requests:
        allowed = f"a window that holds requests of {trace.name} ({trace.duration_s:g} s long)"
        raise InvalidInputError(field, f"{start_s:g} s to {end_s:g} s", allowed)
    return over(trace.name, requests, min(end_s, trace.duration_s) - start_s)


def _laid(trace: Trace, copies: int, random: np.random.Generator) -> list[Iterable[TraceRequest]]:
    """The trace itself and shifted copies that share no session or KV block with it."""
    laid: list[Iterable[TraceRequest]] = [trace.requests]
    if copies <= 1:
        return laid
    mark, blocks = copied.mark([trace]), copied.blocks(trace)
    for copy in range(1, copies):
        shift_s = random.uniform(0.0, trace.duration_s)
        shifted = copied.wrapped(trace.requests, shift_s, trace.duration_s)
        laid.append(copied.apart(shifted, f"{mark}{copy}", copy * blocks))
    return laid


def _thinned(
    requests: Iterable[TraceRequest], share: float, random: np.random.Generator
) -> Iterator[TraceRequest]:
    sessions: dict[str, bool] = {}
    for request in requests:
        kept = bool(random.random() < share)
        if request.session:
            kept = sessions.setdefault(request.session, kept)
        if kept:
            yield request


def _joined(trace: Trace, parts: list[Iterable[TraceRequest]], field: str, value: float) -> Trace:
    requests = [request for part in parts for request in part]
    if not requests:
        at_least = f"high enough to keep one of {len(trace.requests)} requests"
        raise InvalidInputError(field, value, at_least)
    return over(trace.name, requests, trace.duration_s)


def _require_few(trace: Trace, copies: float, field: str, value: float) -> None:
    if copies * len(trace.requests) > MOST_REQUESTS:
        allowed = f"at most {MOST_REQUESTS} requests; {trace.name} has {len(trace.requests)}"
        raise InvalidInputError(field, value, allowed)
