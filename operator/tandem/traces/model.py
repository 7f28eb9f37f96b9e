"""A trace: requests over time."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple

from tandem.traces.request import TraceRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """Requests by arrival; `span_s` is the time that was recorded, where it outlasts the last arrival."""

    name: str
    requests: tuple[TraceRequest, ...]
    span_s: float = 0.0

    @property
    def duration_s(self) -> float:
        """Seconds from the trace's start to its end."""
        last_s = self.requests[-1].arrival_s if self.requests else 0.0
        return max(self.span_s, last_s)

    @property
    def rate_rps(self) -> float:
        """Mean requests per second; infinite when all arrive at one instant."""
        return len(self.requests) / self.duration_s if self.duration_s else float("inf")


class Recorded(NamedTuple):
    """What a file holds: requests in any order, and the recorded time where the file tells it."""

    requests: Iterable[TraceRequest]
    span_s: float | None = None


def from_first_arrival(name: str, requests: Iterable[TraceRequest]) -> Trace:
    """A trace of requests in any order: sorted by arrival, and the first one comes at 0."""
    ordered = _by_arrival(requests)
    first_s = ordered[0].arrival_s if ordered else 0.0
    if first_s:
        ordered = [replace(request, arrival_s=request.arrival_s - first_s) for request in ordered]
    return Trace(name=name, requests=tuple(ordered))


def over(name: str, requests: Iterable[TraceRequest], span_s: float) -> Trace:
    """A trace of requests in any order, whose time 0 and end are known."""
    return Trace(name=name, requests=tuple(_by_arrival(requests)), span_s=span_s)


def _by_arrival(requests: Iterable[TraceRequest]) -> list[TraceRequest]:
    return sorted(requests, key=lambda request: request.arrival_s)
