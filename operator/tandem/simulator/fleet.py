"""The pods of a fleet, per role: asked for, starting, warm, ready, draining, gone.

Up: draining pods are taken back first, the busiest first; then warm ones, Ready `warm_s` later; the rest is
started. Down: pods that still start go first, the youngest first, then the one with least in flight. A pod
that dies is started anew.
"""

from collections.abc import Callable, Mapping

from tandem.api.role import Role
from tandem.cluster.pod import PodPhase
from tandem.planner.observation import PodCounts
from tandem.simulator.clock import Clock
from tandem.simulator.ledger import Ledger, PodsThen
from tandem.simulator.maker import PodMaker
from tandem.simulator.pod import EnginePod


class Fleet:
    """Runs pods of each role; tells `on_change` when their list or a phase changed.

    Attributes:
        desired: replicas asked for; warm ones are not among them.
        pods: all that are not gone.

    """

    def __init__(
        self,
        clock: Clock,
        maker: PodMaker,
        *,
        on_change: Callable[[list[EnginePod]], None],
        on_drain: Callable[[EnginePod], None],
        on_lost: Callable[[EnginePod], None],
        warm_s: float = 0.0,
        switch_s: float = 0.0,
    ) -> None:
        self.desired = dict.fromkeys(Role, 0)
        self.pods: list[EnginePod] = []
        self.ledger = Ledger()
        self._clock = clock
        self._maker = maker
        self._on_change = on_change
        self._on_drain = on_drain
        self._on_lost = on_lost
        self._warm_s = warm_s
        self._switch_s = switch_s
        self._warm = dict.fromkeys(Role, 0)  # how many shall be
        self._next_role: dict[str, Role] = {}  # of draining pods that switch

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
        self._reach(role)
        self._changed()

    def keep_warm(self, role: Role, count: int) -> None:
        """Ask for pods that are started and stand by; idempotent."""
        self._warm[role] = count
        surplus = self._warm_pods(role)[count:]
        for pod in surplus:
            pod.drain()
        for _ in range(count - len(self._warm_pods(role))):
            self._start(role, warm=True)
        self._changed()

    def switch(self, source: Role, target: Role) -> bool:
        """Let the ready pod of a role with least in flight serve another one; False where there is none."""
        ready = sorted(self.ready(source), key=_unfinished)
        if not ready:
            return False
        pod = ready[0]
        self.desired[source] -= 1
        self.desired[target] += 1
        self._next_role[pod.name] = target
        self._drain(pod)
        self._changed()
        return True

    def lose(self, pods: list[EnginePod]) -> None:
        """Pods die, with all that was on them; others are started in their place."""
        for pod in pods:
            self._next_role.pop(pod.name, None)
            pod.die()
        for pod in pods:
            self._on_lost(pod)
        for role in {pod.role for pod in pods}:
            self._reach(role)
        self._changed()

    def counts(self, role: Role) -> PodCounts:
        """Pods of a role by phase; one on its way to another role starts there."""
        arriving = sum(target is role for target in self._next_role.values())
        leaving = sum(
            pod.role is role and pod.name in self._next_role and pod.phase is PodPhase.DRAINING
            for pod in self.pods
        )
        return PodCounts(
            desired=self.desired[role],
            ready=len(self.ready(role)),
            starting=len(self._starting(role)) + arriving,
            draining=len(self._of(role, PodPhase.DRAINING)) - leaving,
        )

    def ready(self, role: Role) -> list[EnginePod]:
        """Pods of a role that take requests."""
        return self._of(role, PodPhase.READY)

    def _reach(self, role: Role) -> None:
        arriving = sum(target is role for target in self._next_role.values())
        there = len(self._starting(role)) + len(self.ready(role)) + arriving
        excess = there - self.desired[role]
        if excess < 0:
            self._grow(role, -excess)
        elif excess > 0:
            self._shrink(role, excess)

    def _grow(self, role: Role, missing: int) -> None:
        draining = [p for p in self._of(role, PodPhase.DRAINING) if p.name not in self._next_role]
        draining.sort(key=_unfinished, reverse=True)
        warm = sorted(self._warm_pods(role), key=_is_unstarted)
        for pod in draining[:missing]:
            pod.ready()
        missing = max(0, missing - len(draining))
        for pod in warm[:missing]:
            pod.is_warm = False
            if pod.is_started:
                self._clock.at(self._clock.now_s + self._warm_s, self._started, pod)
        for _ in range(missing - len(warm)):
            self._start(role, warm=False)
        if warm[:missing]:
            self.keep_warm(role, self._warm[role])

    def _shrink(self, role: Role, excess: int) -> None:
        starting = self._starting(role)[::-1]
        ready = sorted(self.ready(role), key=_unfinished)
        for pod in (*starting, *ready)[:excess]:
            self._drain(pod)

    def _drain(self, pod: EnginePod) -> None:
        pod.drain()
        if pod.gone_s is None:
            self._on_drain(pod)

    def _start(self, role: Role, *, warm: bool) -> None:
        pod = self._make(role)
        pod.is_warm = warm
        start_s = self._maker.start_s(pod)
        self._clock.at(self._clock.now_s + start_s, self._started, pod)

    def _make(self, role: Role) -> EnginePod:
        pod = self._maker.make(role, self._left)
        self.pods.append(pod)
        self.ledger.begin(pod.name, role, pod.profile, self._clock.now_s)
        return pod

    def _started(self, pod: EnginePod) -> None:
        if pod.gone_s is not None:  # its start was called off
            return
        pod.is_started = True
        if not pod.is_warm:
            pod.ready()
            self._changed()

    def _left(self, pod: EnginePod) -> None:
        """A pod has nothing left: it is gone, or on its way to another role."""
        target = self._next_role.get(pod.name)
        if target is not None:
            pod.begin_anew(target)
            self.ledger.begin(pod.name, target, pod.profile, self._clock.now_s)
            self._clock.at(self._clock.now_s + self._switch_s, self._switched, pod)
            return
        self.pods.remove(pod)
        self._maker.gone(pod)
        self.ledger.end(pod.name, self._clock.now_s)
        self._changed()

    def _switched(self, pod: EnginePod) -> None:
        if self._next_role.pop(pod.name, None) is not None and pod.gone_s is None:
            pod.ready()
            self._changed()

    def _changed(self) -> None:
        for role in self.desired:
            then = PodsThen(self._clock.now_s, role, self.counts(role))
            self.ledger.over_time.append(then)
        self._on_change(self.pods)

    def _starting(self, role: Role) -> list[EnginePod]:
        """Pods that will be ready by themselves; those between two roles are not among them."""
        starting = self._of(role, PodPhase.STARTING)
        return [p for p in starting if not p.is_warm and p.name not in self._next_role]

    def _warm_pods(self, role: Role) -> list[EnginePod]:
        return [pod for pod in self._of(role, PodPhase.STARTING) if pod.is_warm]

    def _of(self, role: Role, phase: PodPhase) -> list[EnginePod]:
        return [pod for pod in self.pods if pod.role is role and pod.phase is phase]


def _is_unstarted(pod: EnginePod) -> bool:
    return not pod.is_started


def _unfinished(pod: EnginePod) -> int:
    return pod.engine.unfinished
