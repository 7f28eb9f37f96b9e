"""What a run came to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tandem.api.role import Role
from tandem.simulator.control import Change
from tandem.simulator.fleet import Replicas
from tandem.simulator.flight import Flight, Outcome
from tandem.simulator.scenario import Scenario
from tandem.simulator.summaries import Summary, summary


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """Figures of one run; every request of the trace is an arrival, whatever became of it.

    `flights` are in the order in which they ended; latencies are those of finished requests.
    `never_came` counts turns of closed loops that the end of the run came before.
    """

    scenario: Scenario
    flights: Sequence[Flight]
    never_came: int
    itl_s: Summary
    gpu_hours: float
    cost: float
    replicas: Mapping[Role, Replicas]
    changes: Sequence[Change]

    @property
    def arrivals(self) -> int:
        """All requests of the trace."""
        return len(self.scenario.trace.requests)

    def count(self, outcome: Outcome) -> int:
        """Requests that ended so; what never came is unfinished."""
        ended = sum(flight.outcome is outcome for flight in self.flights)
        return ended + (self.never_came if outcome is Outcome.UNFINISHED else 0)

    @property
    def met(self) -> int:
        """Requests that met both targets."""
        slo = self.scenario.spec.slo
        return sum(flight.met_ttft(slo) and flight.met_tpot(slo) for flight in self.flights)

    @property
    def attainment(self) -> float:
        """Share of all arrivals that met both targets."""
        return self.met / self.arrivals

    @property
    def goodput_rps(self) -> float:
        """Requests that met both targets, per second of the trace (of 1 s, if it is one instant)."""
        return self.met / (self.scenario.trace.duration_s or 1.0)

    def latencies(self) -> dict[str, Summary]:
        """Summaries by name: TTFT, TPOT, ITL, E2E, queue and transfer."""
        done = [flight for flight in self.flights if flight.outcome is Outcome.FINISHED]
        return {
            "ttft_s": summary(flight.ttft_s for flight in done),
            "tpot_s": summary(flight.tpot_s for flight in done),
            "itl_s": self.itl_s,
            "e2e_s": summary(_between(f.arrival_s, f.ended_s) for f in done),
            "queue_s": summary(_between(f.arrival_s, f.started_s) for f in done),
            "transfer_s": summary(_between(f.pull_began_s, f.pulled_s) for f in done),
        }


def _between(begin_s: float | None, end_s: float | None) -> float | None:
    return None if begin_s is None or end_s is None else end_s - begin_s
