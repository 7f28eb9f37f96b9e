"""Other orders of the same requests: shifted, spliced, mixed or jittered; time is never stretched."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import cos, isfinite, tau

import numpy as np

from tandem.errors import InvalidInputError
from tandem.traces.copies import apart, blocks, mark, moved, require_time, wrapped
from tandem.traces.model import Trace, over
from tandem.traces.request import TraceRequest


def shift(trace: Trace, by_s: float, field: str = "--by") -> Trace:
    """The trace from another moment on: all comes `by_s` later, what passes the end comes at the start."""
    if not isfinite(by_s):
        raise InvalidInputError(field, by_s, "a finite time")
    require_time(trace, field, by_s)
    return over(trace.name, wrapped(trace.requests, by_s, trace.duration_s), trace.duration_s)


def jitter(trace: Trace, by_s: float, seed: int, field: str = "--by") -> Trace:
    """Arrivals moved by normal noise of standard deviation `by_s`, reflected at both ends; seeded.

    Requests may overtake each other; a session moves as a whole, so its turns stay in order.
    """
    if not (isfinite(by_s) and by_s >= 0):
        raise InvalidInputError(field, by_s, "a finite time, 0 or more")
    require_time(trace, field, by_s)
    random = np.random.default_rng(seed)
    span_s = trace.duration_s

    def place(arrival_s: float) -> float:
        around_s = (arrival_s + by_s * random.standard_normal()) % (2 * span_s)
        return min(around_s, 2 * span_s - around_s)

    return over(trace.name, moved(trace.requests, place), span_s)


def splice(traces: Sequence[Trace]) -> Trace:
    """Traces one after the other; none shares a session or a KV block with another."""
    begin_s = 0.0
    requests: list[TraceRequest] = []
    for trace in _apart(traces):
        requests += (replace(r, arrival_s=r.arrival_s + begin_s) for r in trace.requests)
        begin_s += trace.duration_s
    return over(_name(traces), requests, begin_s)


def mix(first: Trace, second: Trace, period_s: float, seed: int, field: str = "--mix") -> Trace:
    """One trace that fades into another and back within `period_s`, as long as the shorter; seeded.

    A request of the first is kept with probability (1 + cos(2πt/T))/2, one of the second with what is
    left to 1; a session stands or falls with its first turn. Each request has a class, its trace's
    name where it had none, so that a load of long prompts can drift into one of long answers.
    """
    if not (isfinite(period_s) and period_s > 0):
        raise InvalidInputError(field, period_s, "a finite time above 0")
    span_s = min(first.duration_s, second.duration_s)
    random = np.random.default_rng(seed)
    one, other = _apart((first, second))
    kept = [
        *_faded(one, span_s, period_s, 0.0, random),
        *_faded(other, span_s, period_s, 0.5, random),
    ]
    if not kept:
        raise InvalidInputError(field, period_s, "traces long enough to keep a request of")
    return over(_name((first, second)), kept, span_s)


def _faded(
    trace: Trace, span_s: float, period_s: float, phase: float, random: np.random.Generator
) -> Iterator[TraceRequest]:
    sessions: dict[str, bool] = {}
    for request in trace.requests:
        share = (1 + cos(tau * (request.arrival_s / period_s + phase))) / 2
        kept = bool(random.random() < share)
        if request.session:
            kept = sessions.setdefault(request.session, kept)
        if kept and request.arrival_s <= span_s:
            yield replace(request, class_name=request.class_name or trace.name)


def _apart(traces: Sequence[Trace]) -> Iterator[Trace]:
    """The traces, told apart; the first is as it was."""
    between, offset = mark(traces), 0
    for index, trace in enumerate(traces):
        name = f"{between}{index}" if index else ""
        yield replace(trace, requests=tuple(apart(trace.requests, name, offset)))
        offset += blocks(trace)


def _name(traces: Sequence[Trace]) -> str:
    return "+".join(trace.name for trace in traces)
