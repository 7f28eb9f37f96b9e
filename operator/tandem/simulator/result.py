"""What a run came to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from tandem.api.role import Role
from tandem.simulator.control import Change
from tandem.simulator.flight import Outcome
from tandem.simulator.ledger import PodsThen, Replicas
from tandem.simulator.scenario import Scenario
from tandem.simulator.summaries import Summary, summary
from tandem.simulator.table import Ended, RequestTable


@dataclass(frozen=True, kw_only=True)
class Result:
    """Figures of one run; every request of the trace is an arrival, whatever became of it.

    The table has every request that came; latencies are those of finished ones. `never_came` counts
    turns of closed loops that the end of the run came before. `cut_s` is when a run was stopped from
    outside; what had not ended then is unfinished. `switches` counts pods that took on another role.
    """

    scenario: Scenario
    table: RequestTable
    never_came: int
    itl_s: Summary
    gpu_hours: float
    cost: float
    replicas: Mapping[Role, Replicas]
    switches: int
    over_time: Sequence[PodsThen]
    changes: Sequence[Change]
    cut_s: float | None = None

    @property
    def arrivals(self) -> int:
        """All requests of the trace."""
        return len(self.scenario.trace.requests)

    @property
    def flights(self) -> Sequence[Ended]:
        """Every request that came, one by one."""
        return self.table.rows()

    def count(self, outcome: Outcome) -> int:
        """Requests that ended so; what never came is unfinished."""
        ended = int(self.table.is_outcome(outcome).sum())
        return ended + (self.never_came if outcome is Outcome.UNFINISHED else 0)

    @cached_property
    def met(self) -> int:
        """Requests that met both targets."""
        return int(self.table.met(self.scenario.spec.slo).sum())

    @property
    def attainment(self) -> float:
        """Share of all arrivals that met both targets."""
        return self.met / self.arrivals

    @property
    def goodput_rps(self) -> float:
        """Requests that met both targets, per second of the trace (of 1 s, if it is one instant)."""
        return self.met / (self.scenario.trace.duration_s or 1.0)

    def latencies(self) -> dict[str, Summary]:
        """Summaries by name: TTFT, TPOT, ITL, E2E, encode, queue and transfer."""
        table, done = self.table, self.table.is_outcome(Outcome.FINISHED)
        return {
            "ttft_s": summary(table.ttft_s[done]),
            "tpot_s": summary(table.tpot_s[done]),
            "itl_s": self.itl_s,
            "e2e_s": summary(table.e2e_s[done]),
            "encode_s": summary(table.encode_s[done]),
            "queue_s": summary(table.queue_s[done]),
            "transfer_s": summary(table.transfer_s[done]),
        }
