"""One request on its way through the fleet, and when each thing happened to it."""

from dataclasses import dataclass
from enum import StrEnum, auto

from tandem.planner.spec import Slo
from tandem.routing.model import RouteRequest
from tandem.simulator.pod import EnginePod
from tandem.traces.request import TraceRequest


class Outcome(StrEnum):
    """How a request ended; every one ends exactly once."""

    FINISHED = auto()
    REFUSED = auto()  # no engine of the fleet could ever hold it
    UNFINISHED = auto()  # cut off when the drain after the trace was over


@dataclass(slots=True, kw_only=True)
class Flight:
    """Times in seconds of virtual time, None before they are."""

    request: TraceRequest
    route: RouteRequest
    prefill: EnginePod | None = None
    started_s: float | None = None  # its first prefill began
    prefilled_s: float | None = None
    pull_began_s: float | None = None
    pulled_s: float | None = None
    first_token_s: float | None = None
    last_token_s: float | None = None
    ended_s: float | None = None
    outcome: Outcome | None = None

    @property
    def arrival_s(self) -> float:
        """When it came; a closed loop's later turns come when the loop lets them."""
        return self.route.arrival_s

    @property
    def ttft_s(self) -> float | None:
        """Arrival to first token."""
        return None if self.first_token_s is None else self.first_token_s - self.arrival_s

    @property
    def tpot_s(self) -> float | None:
        """Mean gap of the tokens after the first; None for an answer of one token."""
        after_first = self.request.output_tokens - 1
        if not after_first or self.first_token_s is None or self.last_token_s is None:
            return None
        return (self.last_token_s - self.first_token_s) / after_first

    def met_ttft(self, slo: Slo) -> bool:
        """Whether it finished and its first token came in time."""
        ttft_s = self.ttft_s
        return self.outcome is Outcome.FINISHED and ttft_s is not None and ttft_s <= slo.ttft_s

    def met_tpot(self, slo: Slo) -> bool:
        """Whether it finished and its tokens came fast enough; one token alone always does."""
        tpot_s = self.tpot_s
        return self.outcome is Outcome.FINISHED and (tpot_s is None or tpot_s <= slo.tpot_s)
