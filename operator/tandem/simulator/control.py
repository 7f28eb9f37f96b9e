"""The operator's loop in virtual time: scrape, wait the scrape's age, plan, apply.

Traffic is scraped every interval and acted upon the observer's `age_s` later, pods are seen as they are: that
is how metrics and a watch on pods differ in a cluster.
"""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from tandem.api.role import Role
from tandem.planner.model import Memory
from tandem.planner.observation import Missing, Traffic
from tandem.planner.spec import FleetSpec
from tandem.simulator.clock import Clock
from tandem.simulator.fleet import Fleet
from tandem.simulator.observe import Observer
from tandem.simulator.scenario import Planner


@dataclass(frozen=True, slots=True)
class Change:
    """One target that moved, when and why."""

    t_s: float
    role: Role
    before: int
    after: int
    reason: str


_FAILED = Traffic.untold(Missing("the scrape failed"))


class ControlLoop:
    """Asks the planner every `interval_s` and scales the fleet to what it answers."""

    def __init__(
        self,
        clock: Clock,
        spec: FleetSpec,
        planner: Planner,
        fleet: Fleet,
        observer: Observer,
        *,
        missed: Callable[[], bool] = lambda: False,
    ) -> None:
        self.changes: list[Change] = []
        self._clock = clock
        self._spec = spec
        self._planner = planner
        self._fleet = fleet
        self._observer = observer
        self._missed = missed
        self._memory = Memory()

    def start(self) -> None:
        """Look for the first time after one interval."""
        self._clock.at(self._clock.now_s + self._spec.interval_s, self._scrape)

    def _scrape(self) -> None:
        now_s = self._clock.now_s
        if now_s < self._spec.interval_s + self._observer.age_s:
            self._look(Traffic.untold(Missing("no scrape is old enough yet")))
        traffic = _FAILED if self._missed() else self._observer.scrape()
        self._clock.at(now_s + self._observer.age_s, self._look, traffic)
        self._clock.at(now_s + self._spec.interval_s, self._scrape)

    def _look(self, traffic: Traffic) -> None:
        plan = self._planner(self._observer.observation(traffic), self._memory, self._spec)
        self._memory = plan.memory
        before = dict(self._fleet.desired)
        for source, target in plan.switches:
            self._fleet.switch(source, target)
        for role, count in plan.warm.items():
            self._fleet.keep_warm(role, count)
        for role, decision in plan.roles.items():
            was, shall = before[role], decision.target
            if shall != was:
                self.changes.append(Change(self._clock.now_s, role, was, shall, decision.reason))
            if shall != self._fleet.desired[role]:
                self._fleet.scale(role, shall)


def missed(share: float, seed: int) -> Callable[[], bool]:
    """Tells of each scrape in turn whether it failed; equal for equal seeds."""
    random = Random(f"{seed} scrapes")  # noqa: S311 - a simulation's, no secret
    return lambda: random.random() < share
