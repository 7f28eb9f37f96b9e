"""A cluster whose pods are values: what is asked for is there at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tandem.api.role import Role
from tandem.cluster.pod import Pod, PodPhase


@dataclass
class FakeCluster:
    """Notes every `scale` call; `broken` makes the next ones fail."""

    wanted: dict[Role, int] = field(default_factory=lambda: dict.fromkeys(Role, 1))
    calls: list[tuple[Role, int, tuple[str, ...]]] = field(default_factory=list)
    broken: str = ""

    async def pods(self) -> Sequence[Pod]:
        return tuple(
            Pod(
                name=f"{role}-{n}",
                role=role,
                phase=PodPhase.READY,
                url=f"http://{role}-{n}",
                asked_s=n,
            )
            for role, count in self.wanted.items()
            for n in range(count)
        )

    async def desired(self) -> Mapping[Role, int]:
        return dict(self.wanted)

    async def scale(self, role: Role, replicas: int, drain_first: Sequence[str] = ()) -> None:
        if self.broken:
            raise OSError(self.broken)
        self.calls.append((role, replicas, tuple(drain_first)))
        self.wanted[role] = replicas

    async def wait_changed(self, timeout_s: float) -> None:
        raise AssertionError(f"nobody waits here ({timeout_s} s)")
