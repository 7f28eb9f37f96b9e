"""Scaling a trace without stretching its time: a cold start does not stretch either.

A lower rate keeps some of the requests; a higher one lays copies over each other, each shifted by its
own random time and wrapped around the trace's end, so that no step appears that nobody had. A session
is kept, dropped or shifted as a whole.
"""

from collections.abc import Iterator
from dataclasses import replace
from math import isfinite

import numpy as np

from tandem.errors import InvalidInputError
from tandem.traces.model import Trace
from tandem.traces.request import TraceRequest


def at_rate(trace: Trace, rate_rps: float, seed: int, field: str = "--rate") -> Trace:
    """The trace at another mean rate, over the same time; seeded."""
    if not (isfinite(rate_rps) and rate_rps > 0 and isfinite(trace.rate_rps)):
        raise InvalidInputError(field, rate_rps, "a rate above 0, of a trace that lasts some time")
    random = np.random.default_rng(seed)
    copies, fraction = divmod(rate_rps / trace.rate_rps, 1.0)
    requests: list[TraceRequest] = []
    for copy in range(int(copies)):
        requests.extend(_copy(trace, copy, random))
    if fraction:
        requests.extend(_thinned(_copy(trace, int(copies), random), fraction, random))
    if not requests:
        at_least = f"high enough to keep one of {len(trace.requests)} requests"
        raise InvalidInputError(field, rate_rps, at_least)
    return _over(trace.duration_s, trace.name, requests)


def window(trace: Trace, start_s: float, duration_s: float, field: str = "--duration") -> Trace:
    """The requests of [start, start + duration), counted from its start."""
    end_s = start_s + duration_s
    requests = [
        replace(request, arrival_s=request.arrival_s - start_s)
        for request in trace.requests
        if start_s <= request.arrival_s < end_s
    ]
    if not requests:
        allowed = f"a window that holds requests of {trace.name} ({trace.duration_s:g} s long)"
        raise InvalidInputError(field, f"{start_s:g} s to {end_s:g} s", allowed)
    return _over(duration_s, trace.name, requests)


def _over(span_s: float, name: str, requests: list[TraceRequest]) -> Trace:
    requests.sort(key=lambda request: request.arrival_s)
    return Trace(name=name, requests=tuple(requests), span_s=span_s)


def _copy(trace: Trace, copy: int, random: np.random.Generator) -> Iterator[TraceRequest]:
    """One copy of a trace; the first is the trace itself, others share no session or KV with it."""
    if copy == 0:
        return iter(trace.requests)
    shift_s = random.uniform(0.0, trace.duration_s)
    blocks = 1 + max((max(r.hash_ids, default=-1) for r in trace.requests), default=-1)
    return _shifted(trace, copy, shift_s, blocks)


def _shifted(trace: Trace, copy: int, shift_s: float, blocks: int) -> Iterator[TraceRequest]:
    moves: dict[str, float] = {}  # by session: what its first turn moved by
    for request in trace.requests:
        wrapped_s = (request.arrival_s + shift_s) % trace.duration_s
        move_s = wrapped_s - request.arrival_s
        if request.session:
            move_s = moves.setdefault(request.session, move_s)
        yield replace(
            request,
            arrival_s=request.arrival_s + move_s,
            session=f"{request.session}#{copy}" if request.session else "",
            hash_ids=tuple(block + copy * blocks for block in request.hash_ids),
        )


def _thinned(
    requests: Iterator[TraceRequest], share: float, random: np.random.Generator
) -> Iterator[TraceRequest]:
    sessions: dict[str, bool] = {}
    for request in requests:
        kept = bool(random.random() < share)
        if request.session:
            kept = sessions.setdefault(request.session, kept)
        if kept:
            yield request
