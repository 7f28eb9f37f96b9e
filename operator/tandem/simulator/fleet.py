"""The pods of a fleet, per role: asked for, starting, ready, draining, gone; and what they cost.

Up: draining pods are taken back first, the busiest first; the rest is started and is Ready after the
role's lead time. Down: pods that still start go first, the youngest first, then the one with least in
flight. A pod costs from the asking until it is gone.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tandem.api.role import Role
from tandem.cluster.ports import PodPhase
from tandem.perf.step_times import StepTimes
from tandem.planner.observation import PodCounts
from tandem.planner.spec import RoleSpec
from tandem.simulator.clock import Clock
from tandem.simulator.pod import EnginePod, PodEvents


@dataclass(frozen=True, slots=True)
class Replicas:
    """Pods of one role that were not gone: mean over the run, and the most at once."""

    mean: float
    max: int


@dataclass(frozen=True, slots=True)
class PodsThen:
    """Pods of one role from a moment on."""

    t_s: float
    role: Role
    pods: PodCounts


class Fleet:
    """Runs pods of each role; tells `on_change` when their list or a phase changed."""

    def __init__(
        self,
        clock: Clock,
        roles: Mapping[Role, RoleSpec],
        *,
        events: PodEvents,
        on_change: Callable[[list[EnginePod]], None],
        times: Mapping[Role, StepTimes],
        most_iterations: int,
    ) -> None:
        self.desired = dict.fromkeys(roles, 0)
        self.pods: list[EnginePod] = []
        self._clock = clock
        self._roles = roles
        self._events = events
        self._on_change = on_change
        self._times = times
        self._most_iterations = most_iterations
        self.over_time: list[PodsThen] = []
        self._made = dict.fromkeys(roles, 0)
        self._most = dict.fromkeys(roles, 0)
        self._gone: list[EnginePod] = []

    def start_ready(self, replicas: Mapping[Role, int]) -> None:
        """The fleet as it stands when the run begins."""
        for role, count in replicas.items():
            self.desired[role] = count
            for _ in range(count):
                self._make(role).ready()
        self._changed()

    def scale(self, role: Role, target: int) -> None:
        """Ask for a number of replicas; idempotent."""
        self.desired[role] = target
        excess = len(self._of(role, PodPhase.STARTING, PodPhase.READY)) - target
        if excess < 0:
            self._grow(role, -excess)
        elif excess > 0:
            self._shrink(role, excess)
        self._changed()

    def counts(self, role: Role) -> PodCounts:
        """Pods of a role by phase."""
        return PodCounts(
            desired=self.desired[role],
            **{phase.value: len(self._of(role, phase)) for phase in PodPhase},
        )

    def ready(self, role: Role) -> list[EnginePod]:
        """Pods of a role that take requests."""
        return self._of(role, PodPhase.READY)

    def replicas(self, end_s: float) -> dict[Role, Replicas]:
        """Mean and most pods of each role over a run that ended then."""
        lasted_s = max(end_s, 1e-9)  # a run may be one instant long
        return {
            role: Replicas(self._pod_seconds(role, lasted_s) / lasted_s, self._most[role])
            for role in self._roles
        }

    def accelerator_hours(self, end_s: float) -> float:
        """Hours of accelerators of all pods, idle, starting and draining ones too."""
        return sum(
            self._pod_seconds(role, end_s) / 3600 * spec.profile.accelerators
            for role, spec in self._roles.items()
        )

    def cost(self, end_s: float) -> float:
        """Price of all pods, in the currency of the profiles."""
        return sum(
            self._pod_seconds(role, end_s) / 3600 * spec.profile.cost_per_hour
            for role, spec in self._roles.items()
        )

    def _grow(self, role: Role, missing: int) -> None:
        draining = self._of(role, PodPhase.DRAINING)
        draining.sort(key=lambda pod: -pod.engine.unfinished)
        for pod in draining[:missing]:
            pod.ready()
        for _ in range(missing - len(draining)):
            pod = self._make(role)
            ready_s = self._clock.now_s + self._roles[role].lead_time_s
            self._clock.at(ready_s, self._started, pod)

    def _shrink(self, role: Role, excess: int) -> None:
        starting = self._of(role, PodPhase.STARTING)[::-1]
        ready = sorted(self.ready(role), key=lambda pod: pod.engine.unfinished)
        for pod in (*starting, *ready)[:excess]:
            pod.drain()

    def _make(self, role: Role) -> EnginePod:
        self._made[role] += 1
        pod = EnginePod(
            name=f"{role}-{self._made[role]}",
            role=role,
            profile=self._roles[role].profile,
            times=self._times[role],
            most_iterations=self._most_iterations,
            clock=self._clock,
            events=self._events,
            on_gone=self._left,
        )
        self.pods.append(pod)
        alive = sum(other.role is role for other in self.pods)
        self._most[role] = max(self._most[role], alive)
        return pod

    def _started(self, pod: EnginePod) -> None:
        if pod.gone_s is None:  # else its start was called off
            pod.ready()
            self._changed()

    def _left(self, pod: EnginePod) -> None:
        self.pods.remove(pod)
        self._gone.append(pod)
        self._changed()

    def _changed(self) -> None:
        for role in self.desired:
            self.over_time.append(PodsThen(self._clock.now_s, role, self.counts(role)))
        self._on_change(self.pods)

    def _of(self, role: Role, *phases: PodPhase) -> list[EnginePod]:
        return [pod for pod in self.pods if pod.role is role and pod.phase in phases]

    def _pod_seconds(self, role: Role, end_s: float) -> float:
        pods = (pod for pod in (*self.pods, *self._gone) if pod.role is role)
        return sum(
            (end_s if pod.gone_s is None else min(pod.gone_s, end_s)) - pod.asked_s for pod in pods
        )
