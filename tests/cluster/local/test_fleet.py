import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tandem.api.role import Role
from tandem.cluster import registry
from tandem.cluster.local.engines import Launch
from tandem.cluster.local.fleet import LocalCluster
from tandem.cluster.pod import Pod, PodPhase

SMALL_ENGINE = Path(__file__).parents[2] / "fakes" / "small_engine.py"
PATIENCE_S = 15.0


@dataclass
class SmallLauncher:
    """Starts the small engine with the flags of the day."""

    flags: tuple[str, ...] = ()
    program: str = sys.executable

    def launch(self, role: Role, name: str, port: int, side_port: int) -> Launch:
        return Launch([self.program, str(SMALL_ENGINE), str(port), *self.flags], {})


@pytest.fixture
def launcher() -> SmallLauncher:
    return SmallLauncher()


@pytest.fixture
async def cluster(launcher: SmallLauncher, tmp_path: Path) -> AsyncIterator[LocalCluster]:
    fleet = LocalCluster(launcher, tmp_path, drain_s=5.0)
    yield fleet
    await fleet.kill()


async def until(cluster: LocalCluster, holds: Callable[[Sequence[Pod]], bool]) -> Sequence[Pod]:
    async with asyncio.timeout(PATIENCE_S):
        while not holds(pods := await cluster.pods()):
            await cluster.wait_changed(1.0)
    return pods


def ready(role: Role, count: int) -> Callable[[Sequence[Pod]], bool]:
    def holds(pods: Sequence[Pod]) -> bool:
        return sum(p.role is role and p.phase is PodPhase.READY for p in pods) == count

    return holds


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_a_role_scales_up_and_the_gateway_reads_its_pods(cluster: LocalCluster) -> None:
    await cluster.scale(Role.DECODE, 2)
    pods = await until(cluster, ready(Role.DECODE, 2))
    assert registry.read(cluster.registry_path) == tuple(pods)
    assert len({pod.url for pod in pods}) == 2


async def test_a_pod_that_leaves_is_draining_in_the_registry_before_it_ends(
    cluster: LocalCluster, launcher: SmallLauncher
) -> None:
    launcher.flags = ("--drain", "0.5")
    await cluster.scale(Role.PREFILL, 1)
    await until(cluster, ready(Role.PREFILL, 1))
    await cluster.scale(Role.PREFILL, 0)
    (listed,) = registry.read(cluster.registry_path)
    assert listed.phase is PodPhase.DRAINING
    await until(cluster, lambda pods: not pods)
    assert registry.read(cluster.registry_path) == ()


async def test_who_is_named_drains_first(cluster: LocalCluster) -> None:
    await cluster.scale(Role.DECODE, 3)
    pods = await until(cluster, ready(Role.DECODE, 3))
    await cluster.scale(Role.DECODE, 2, [pods[1].name])
    left = await until(cluster, lambda now: len(now) == 2)
    assert [pod.name for pod in left] == [pods[0].name, pods[2].name]


async def test_a_pod_still_starting_goes_before_a_ready_one(
    cluster: LocalCluster, launcher: SmallLauncher
) -> None:
    await cluster.scale(Role.DECODE, 1)
    (first,) = await until(cluster, ready(Role.DECODE, 1))
    launcher.flags = ("--ready-after", "60")
    await cluster.scale(Role.DECODE, 2)
    await cluster.scale(Role.DECODE, 1, [first.name])
    (left,) = await until(cluster, lambda pods: len(pods) == 1)
    assert left.name == first.name


async def test_a_pod_that_dies_is_said_and_started_again(
    cluster: LocalCluster, launcher: SmallLauncher
) -> None:
    launcher.flags = ("--die-after", "0.8")
    await cluster.scale(Role.PREFILL, 1)
    (died,) = await until(cluster, lambda pods: any(pod.restarts for pod in pods))
    assert died.message == "prefill-0 ended with exit code 3: out of memory"
    launcher.flags = ()
    (again,) = await until(cluster, ready(Role.PREFILL, 1))
    assert (again.name, again.message) == ("prefill-0", "")


async def test_a_program_that_is_not_there_is_said(
    cluster: LocalCluster, launcher: SmallLauncher
) -> None:
    launcher.program = "/nowhere/engine"
    await cluster.scale(Role.PREFILL, 1)
    (pod,) = await until(cluster, lambda pods: any(pod.message for pod in pods))
    assert "can't be started" in pod.message
    assert "/nowhere/engine" in pod.message
    assert pod.phase is PodPhase.STARTING


async def test_nothing_is_left_after_close(cluster: LocalCluster) -> None:
    await cluster.scale(Role.PREFILL, 1)
    await cluster.scale(Role.DECODE, 1)
    await until(cluster, lambda pods: ready(Role.PREFILL, 1)(pods) and ready(Role.DECODE, 1)(pods))
    pids = [m.process.pid for m in cluster._members.values() if m.process]
    await cluster.close()
    assert await cluster.pods() == ()
    assert not any(alive(pid) for pid in pids)


async def test_an_engine_that_does_not_end_is_killed_after_its_grace(
    tmp_path: Path,
) -> None:
    fleet = LocalCluster(SmallLauncher(("--drain", "600")), tmp_path, drain_s=-4.0)
    await fleet.scale(Role.PREFILL, 1)
    await until(fleet, ready(Role.PREFILL, 1))
    async with asyncio.timeout(PATIENCE_S):
        await fleet.close()
    assert await fleet.pods() == ()


async def test_logs_that_can_not_be_written_do_not_stop_the_fleet(
    cluster: LocalCluster, tmp_path: Path
) -> None:
    (tmp_path / "decode-0.log").mkdir()
    await cluster.scale(Role.DECODE, 1)
    await until(cluster, ready(Role.DECODE, 1))


async def test_a_list_that_can_not_be_written_is_said_once_and_written_later(
    cluster: LocalCluster,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tandem.cluster.local.fleet._REWRITE_S", 0.2)
    in_the_way = tmp_path / "pods.partial"
    in_the_way.mkdir()
    await cluster.scale(Role.DECODE, 1)
    await until(cluster, ready(Role.DECODE, 1))
    assert registry.read(cluster.registry_path) == ()
    (said,) = [record.message for record in caplog.records if "pods.json" in record.message]
    assert said.startswith(f"{tmp_path / 'pods.json'}: Is a directory; the gateway does not see")
    in_the_way.rmdir()
    async with asyncio.timeout(PATIENCE_S):
        while not registry.read(cluster.registry_path):  # noqa: ASYNC110 - a file sets no event
            await asyncio.sleep(0.05)
