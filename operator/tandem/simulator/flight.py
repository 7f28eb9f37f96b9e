"""One request on its way through the fleet, and when each thing happened to it."""

from enum import StrEnum, auto
from typing import TYPE_CHECKING

from tandem.routing.model import RouteRequest
from tandem.traces.request import TraceRequest

if TYPE_CHECKING:
    from tandem.simulator.pod import EnginePod


class Outcome(StrEnum):
    """How a request ended; every one ends exactly once."""

    FINISHED = auto()
    REFUSED = auto()  # no engine of the fleet could ever hold it
    UNFINISHED = auto()  # cut off when the drain after the trace was over
    FAILED = auto()  # the pod that streamed it died


class Flight:
    """A request in flight; times in seconds of virtual time, None before they are.

    Attributes:
        position: of the request in its trace.
        output_tokens: of the whole answer.
        arrival_s: when it came; a closed loop's later turns come when the loop lets them.
        source: the pod that has its KV until the decode pod does.
        encoded_s: an encode pod was done with it; None where it went to none.
        started_s: its first prefill began.

    """

    def __init__(self, position: int, request: TraceRequest, route: RouteRequest) -> None:
        self.position = position
        self.request = request
        self.output_tokens = request.output_tokens
        self.route = route
        self.arrival_s = route.arrival_s
        self.source: EnginePod | None = None
        self.decode: EnginePod | None = None
        self.cached_tokens = 0
        self.encoded_s: float | None = None
        self.started_s: float | None = None
        self.prefilled_s: float | None = None
        self.pull_began_s: float | None = None
        self.pulled_s: float | None = None
        self.first_token_s: float | None = None
        self.last_token_s: float | None = None
        self.ended_s: float | None = None

    def needs(self, pod: "EnginePod") -> bool:
        """Whether a pod has something that the request cannot go on without."""
        return self.decode is pod or (self.source is pod and self.pulled_s is None)
