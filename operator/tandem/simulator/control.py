"""The operator's loop in virtual time: scrape, wait the scrape's age, plan, apply.

Traffic is scraped every interval and acted upon the observer's `age_s` later, pods are seen as they are: that
is how metrics and a watch on pods differ in a cluster.
"""

from dataclasses import dataclass

from tandem.api.role import Role
from tandem.planner.model import Memory
from tandem.planner.observation import Missing, Traffic
from tandem.planner.spec import FleetSpec
from tandem.simulator.clock import Clock
from tandem.simulator.fleet import Fleet
from tandem.simulator.observe import Observer
from tandem.simulator.scenario import Planner

_NOTHING_YET = Missing("no scrape is old enough yet")
_NO_TRAFFIC = Traffic(
    arrivals=_NOTHING_YET,
    dispersion=_NOTHING_YET,
    lengths=_NOTHING_YET,
    finished=_NOTHING_YET,
    met_ttft=_NOTHING_YET,
    met_tpot=_NOTHING_YET,
    met_both=_NOTHING_YET,
    queued_requests=_NOTHING_YET,
    queued_tokens=_NOTHING_YET,
)


@dataclass(frozen=True, slots=True)
class Change:
    """One target that moved, when and why."""

    t_s: float
    role: Role
    before: int
    after: int
    reason: str


class ControlLoop:
    """Asks the planner every `interval_s` and scales the fleet to what it answers."""

    def __init__(
        self,
        clock: Clock,
        spec: FleetSpec,
        planner: Planner,
        fleet: Fleet,
        observer: Observer,
    ) -> None:
        self.changes: list[Change] = []
        self._clock = clock
        self._spec = spec
        self._planner = planner
        self._fleet = fleet
        self._observer = observer
        self._memory = Memory()

    def start(self) -> None:
        """Look for the first time after one interval."""
        self._clock.at(self._clock.now_s + self._spec.interval_s, self._scrape)

    def _scrape(self) -> None:
        now_s = self._clock.now_s
        if now_s < self._spec.interval_s + self._observer.age_s:
            self._look(_NO_TRAFFIC)
        self._clock.at(now_s + self._observer.age_s, self._look, self._observer.scrape())
        self._clock.at(now_s + self._spec.interval_s, self._scrape)

    def _look(self, traffic: Traffic) -> None:
        plan = self._planner(self._observer.observation(traffic), self._memory, self._spec)
        self._memory = plan.memory
        for role, decision in plan.roles.items():
            before = self._fleet.desired[role]
            if decision.target != before:
                change = Change(self._clock.now_s, role, before, decision.target, decision.reason)
                self.changes.append(change)
                self._fleet.scale(role, decision.target)
