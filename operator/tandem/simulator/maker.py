"""Makes the engine pods of a scenario: which engine each one is, where it stands, how long it starts."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from tandem.api.role import Role
from tandem.perf.engine_profile import EngineProfile
from tandem.perf.step_times import StepTimes
from tandem.simulator.clock import Clock
from tandem.simulator.noise import NoisyTimes
from tandem.simulator.pod import EnginePod
from tandem.simulator.pod_events import PodEvents
from tandem.simulator.scenario import KERNELS, Scenario
from tandem.simulator.starts import StartTimes

if TYPE_CHECKING:
    from tandem.simulator.features import Pool


class PodMaker:
    """A role's pods come from its pools in order, each as long as it has room; from its profile else."""

    def __init__(self, clock: Clock, scenario: Scenario, events: PodEvents) -> None:
        self._clock = clock
        self._scenario = scenario
        self._events = events
        cluster = scenario.cluster
        roles = scenario.spec.roles
        self._starts = StartTimes(roles, cluster.start_spread, scenario.seed)
        self._made = dict.fromkeys(roles, 0)
        self._pools = scenario.pools
        self._pool_of: dict[str, Pool] = {}
        self._free: list[int] = []  # accelerators of each node

    def make(self, role: Role, on_gone: Callable[[EnginePod], None]) -> EnginePod:
        """A pod that is asked for now."""
        self._made[role] += 1
        name = f"{role}-{self._made[role]}"
        profile, times = self._engine(role, name)
        engines = self._scenario.engines
        if engines.pod_spread or engines.prompt_spread:
            seed = f"{self._scenario.seed} {name}"
            times = NoisyTimes(times, engines.pod_spread, engines.prompt_spread, seed)
        pod = EnginePod(
            name=name,
            role=role,
            number=self._made[role],
            profile=profile,
            times=times,
            most_iterations=KERNELS[self._scenario.kernel],
            clock=self._clock,
            events=self._events,
            on_gone=on_gone,
            swap_bytes_per_s=engines.swap_bytes_per_s,
            chunk_tokens=engines.deflect_chunk_tokens if role is Role.DECODE else 0,
        )
        pod.node = self._place(profile.accelerators)
        return pod

    def start_s(self, pod: EnginePod) -> float:
        """Seconds until a pod that was just made is Ready."""
        return self._starts.draw_s(pod.role, pod.number)

    def gone(self, pod: EnginePod) -> None:
        """Its place in the pool and on the node is free."""
        self._pool_of.pop(pod.name, None)
        self._free[pod.node] += pod.profile.accelerators

    def _engine(self, role: Role, name: str) -> tuple[EngineProfile, StepTimes]:
        for pool in self._pools.get(role, ()):
            taken = sum(other is pool for other in self._pool_of.values())
            if taken < pool.most:
                self._pool_of[name] = pool
                return pool.profile, pool.times or pool.profile
        profile = self._scenario.spec.roles[role].profile
        return profile, self._scenario.times.get(role, profile)

    def _place(self, accelerators: int) -> int:
        """The first node with room, a new one where there is none."""
        for node, free in enumerate(self._free):
            if free >= accelerators:
                self._free[node] -= accelerators
                return node
        self._free.append(self._scenario.cluster.node_accelerators - accelerators)
        return len(self._free) - 1
