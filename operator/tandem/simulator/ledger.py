"""What pods cost: each from the asking until it is gone, in the role that it had at the time."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tandem.api.role import Role
from tandem.perf.engine_profile import EngineProfile
from tandem.planner.observation import PodCounts


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


@dataclass(slots=True)
class _Stay:
    role: Role | None  # None of an encode pod
    profile: EngineProfile
    from_s: float
    to_s: float | None = None

    def seconds(self, end_s: float) -> float:
        """Of a run that ended then."""
        return (end_s if self.to_s is None else min(self.to_s, end_s)) - self.from_s


class Ledger:
    """Stays of pods in roles, by pod name while they last.

    Attributes:
        switches: pods that took on another role so far.

    """

    def __init__(self) -> None:
        self.over_time: list[PodsThen] = []
        self.switches = 0
        self._stays: dict[str, _Stay] = {}
        self._past: list[_Stay] = []
        self._most: dict[Role | None, int] = {}

    def begin(self, name: str, role: Role | None, profile: EngineProfile, now_s: float) -> None:
        """A pod is asked for, or has another role from now on."""
        self.switches += name in self._stays
        self.end(name, now_s)
        self._stays[name] = _Stay(role, profile, now_s)
        alive = sum(stay.role is role for stay in self._stays.values())
        self._most[role] = max(self._most.get(role, 0), alive)

    def end(self, name: str, now_s: float) -> None:
        """A pod is gone; an unknown one never was."""
        stay = self._stays.pop(name, None)
        if stay is not None:
            stay.to_s = now_s
            self._past.append(stay)

    def replicas(self, roles: Iterable[Role], end_s: float) -> dict[Role, Replicas]:
        """Mean and most pods of each role over a run that ended then."""
        lasted_s = max(end_s, 1e-9)  # a run may be one instant long
        return {
            role: Replicas(
                sum(stay.seconds(lasted_s) for stay in self._all() if stay.role is role) / lasted_s,
                self._most.get(role, 0),
            )
            for role in roles
        }

    def accelerator_hours(self, end_s: float) -> float:
        """Hours of accelerators of all pods, idle, starting, warm and draining ones too."""
        return sum(stay.seconds(end_s) * stay.profile.accelerators for stay in self._all()) / 3600

    def cost(self, end_s: float) -> float:
        """Price of all pods, in the currency of the profiles."""
        return sum(stay.seconds(end_s) * stay.profile.cost_per_hour for stay in self._all()) / 3600

    def _all(self) -> Iterator[_Stay]:
        yield from self._past
        yield from self._stays.values()
