"""Requests moved around a trace's end, and told apart from those that they came from.

A session moves as a whole, by what its first turn moves: its later turns may come after the trace's end.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from tandem.errors import InvalidInputError
from tandem.traces.model import Trace
from tandem.traces.request import TraceRequest

_MARK = "#"


def wrapped(requests: Iterable[TraceRequest], by_s: float, span_s: float) -> Iterator[TraceRequest]:
    """Requests that come `by_s` later, those past the end at the start."""
    return moved(requests, lambda arrival_s: (arrival_s + by_s) % span_s)


def moved(
    requests: Iterable[TraceRequest], place: Callable[[float], float]
) -> Iterator[TraceRequest]:
    """Requests, each at the place of its arrival; a session's turns keep their distances."""
    moves: dict[str, float] = {}  # by session: what its first turn moved by
    for request in requests:
        move_s = moves.get(request.session) if request.session else None
        if move_s is None:
            move_s = place(request.arrival_s) - request.arrival_s
            moves[request.session] = move_s
        yield replace(request, arrival_s=request.arrival_s + move_s)


def apart(requests: Iterable[TraceRequest], name: str, block_offset: int) -> Iterator[TraceRequest]:
    """Requests whose sessions carry `name`, and whose KV blocks begin after `block_offset` others."""
    for request in requests:
        if request.session or request.hash_ids:
            yield replace(
                request,
                session=f"{request.session}{name}" if request.session else "",
                hash_ids=tuple(block + block_offset for block in request.hash_ids),
            )
        else:
            yield request


def blocks(trace: Trace) -> int:
    """How many block ids a trace takes, from 0 to its greatest."""
    return 1 + max((max(request.hash_ids, default=-1) for request in trace.requests), default=-1)


def mark(traces: Iterable[Trace]) -> str:
    """What sets a copy's number apart in a session's name: "#", or more of them where names have some."""
    sessions = {request.session for trace in traces for request in trace.requests}
    text = _MARK
    while any(text in session for session in sessions):
        text += _MARK
    return text


def require_time(trace: Trace, field: str, value: object) -> None:
    """Refuse what needs a trace that lasts: in one whose requests come all at once nothing can move."""
    if not trace.duration_s:
        allowed = f"a trace that lasts some time: all of {trace.name} comes at one instant"
        raise InvalidInputError(field, value, allowed)
