"""One fleet's loop: observe -> plan -> limit -> apply -> report.

`plan()` is pure and holds the limits; here is only the I/O around it. A tick may be cut between any
two lines: what is wanted is a level, so the next tick says it again.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from tandem.api.role import Role
from tandem.cluster.pod import Pod, PodPhase
from tandem.cluster.ports import Cluster, MetricsSource
from tandem.controller.chronicle import Chronicle
from tandem.planner.model import Memory, Plan
from tandem.planner.observation import Observation, PodCounts, Traffic
from tandem.planner.plan import plan
from tandem.planner.spec import FleetSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One target that moved."""

    at_s: float
    role: Role
    before: int
    after: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """What one turn of the loop saw, decided and did; `error` says what went wrong instead."""

    observation: Observation | None
    pods: Sequence[Pod] = ()
    plan: Plan | None = None
    changes: tuple[Change, ...] = ()
    error: str = ""


class MemoryStore(Protocol):
    """Keeps the planner's memory over a restart."""

    async def load(self) -> Memory:
        """What was last saved; a fresh memory where nothing was or it is damaged."""
        ...

    async def save(self, memory: Memory, *, changed: bool) -> None:
        """Replace what is kept; where nothing `changed` for the cluster it may wait a while."""
        ...


class FleetLoop:
    """Observes, plans and applies for one fleet, on its own ticks."""

    def __init__(
        self,
        *,
        cluster: Cluster,
        metrics: MetricsSource,
        spec: FleetSpec,
        store: MemoryStore,
        chronicle: Chronicle,
        now_s: Callable[[], float],
        report: Callable[[Tick], None],
    ) -> None:
        self._cluster = cluster
        self.metrics = metrics  # this and the next may be replaced between two ticks
        self.spec = spec
        self._store = store
        self._chronicle = chronicle
        self._now_s = now_s
        self._report = report
        self._memory: Memory | None = None  # not loaded yet

    async def run(self, stop: asyncio.Event) -> None:
        """Tick until `stop` is set; an error is reported and the next tick tries again."""
        while not stop.is_set():
            wait_s = await self._guarded_tick()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), wait_s)

    async def tick(self) -> Tick:
        """One turn: what was seen, what was decided, what was asked of the cluster."""
        if self._memory is None:
            self._memory = await self._store.load()
        spec, memory = self.spec, self._memory
        pods = await self._cluster.pods()
        traffic = await self.metrics.read(pods)
        desired = await self._cluster.desired()
        seen = observation(self._now_s(), pods, desired, traffic)
        decided = plan(seen, memory, spec)
        self._memory = decided.memory
        changes = () if spec.paused else await self._apply(seen, desired, decided, pods)
        await self._store.save(decided.memory, changed=bool(changes))
        await self._chronicle.note(seen, memory, spec, moved=bool(changes))
        return Tick(observation=seen, pods=pods, plan=decided, changes=changes)

    async def _guarded_tick(self) -> float:
        try:
            done = await self.tick()
        except Exception as error:  # noqa: BLE001 - the loop's top: one bad tick must not end the fleet
            self._report(Tick(observation=None, error=f"{type(error).__name__}: {error}"))
            return self.spec.interval_s
        self._report(done)
        assert done.plan is not None
        return done.plan.look_again_s

    async def _apply(
        self, seen: Observation, desired: Mapping[Role, int], decided: Plan, pods: Sequence[Pod]
    ) -> tuple[Change, ...]:
        """Ask for every target that is not yet asked for; fewer first, so that a budget holds half-way."""
        changes = [
            Change(
                at_s=seen.now_s,
                role=role,
                before=desired.get(role, 0),
                after=decision.target,
                reason=decision.reason,
            )
            for role, decision in decided.roles.items()
            if decision.target != desired.get(role, 0)
        ]
        changes.sort(key=lambda change: change.after - change.before)
        for change in changes:
            victims = drain_order(pods, change.role, seen.traffic.in_flight)
            await self._cluster.scale(change.role, change.after, victims)
        return tuple(changes)


def observation(
    now_s: float, pods: Sequence[Pod], desired: Mapping[Role, int], traffic: Traffic
) -> Observation:
    """The planner's view of pods and traffic."""
    phases = {role: [pod.phase for pod in pods if pod.role is role] for role in Role}
    counts = {
        role: PodCounts(
            desired=desired.get(role, 0),
            ready=phases[role].count(PodPhase.READY),
            starting=phases[role].count(PodPhase.STARTING),
            draining=phases[role].count(PodPhase.DRAINING),
        )
        for role in Role
    }
    return Observation(now_s=now_s, pods=counts, traffic=traffic, revision=_revision(pods))


def _revision(pods: Sequence[Pod]) -> str:
    """Of most pods that serve; of equals the one that was asked for last."""
    serving = [pod for pod in pods if pod.phase is PodPhase.READY]
    counts = Counter(pod.revision for pod in serving)
    youngest = max(serving, key=lambda pod: (counts[pod.revision], pod.asked_s), default=None)
    return "" if youngest is None else youngest.revision


def drain_order(pods: Sequence[Pod], role: Role, in_flight: Mapping[str, float]) -> list[str]:
    """Ready pods of a role, the one with least in flight first: it drains soonest."""
    ready = [pod for pod in pods if pod.role is role and pod.phase is PodPhase.READY]
    return [p.name for p in sorted(ready, key=lambda p: (in_flight.get(p.name, 0.0), -p.asked_s))]
