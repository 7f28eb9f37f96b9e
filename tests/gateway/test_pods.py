import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from tandem.api.role import Role
from tandem.cluster import registry
from tandem.cluster.pod import Pod, PodPhase
from tandem.gateway.pods import PodList
from tandem.routing.model import RoutePod

KV_TOKENS = {Role.PREFILL: 1000, Role.DECODE: 2000}


class Seen:
    """A pod list whose clock stands still, and the last list it told."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.told: list[RoutePod] = []
        self.times = 0
        self.pods = PodList(KV_TOKENS, self._changed, lambda: self.now_s)

    def _changed(self, pods: Sequence[RoutePod]) -> None:
        self.told = list(pods)
        self.times += 1

    @property
    def usable(self) -> list[str]:
        return [pod.name for pod in self.told if not pod.draining]


def pod(name: str, phase: PodPhase = PodPhase.READY, role: Role = Role.PREFILL) -> Pod:
    return Pod(name=name, role=role, phase=phase, url=f"http://{name}", revision="7")


def test_starting_pods_are_not_there_yet_and_draining_ones_take_nothing() -> None:
    seen = Seen()
    seen.pods.replace(
        [pod("a", PodPhase.STARTING), pod("b", PodPhase.DRAINING), pod("c", role=Role.DECODE)]
    )
    assert seen.told == [
        RoutePod(
            name="b",
            role=Role.PREFILL,
            kv_capacity_tokens=1000,
            revision="7",
            draining=True,
            finishing=True,
        ),
        RoutePod(name="c", role=Role.DECODE, kv_capacity_tokens=2000, revision="7"),
    ]
    assert (seen.pods.ready(Role.PREFILL), seen.pods.ready(Role.DECODE)) == (0, 1)
    assert (seen.pods.url("b"), seen.pods.url("a"), seen.pods.url("z")) == ("http://b", "", "")


async def test_a_pod_that_fails_pauses_twice_as_long_each_time() -> None:
    seen = Seen()
    seen.pods.replace([pod("a"), pod("b")])
    for pause_s in (1, 2, 4, 8, 16, 30, 30):
        seen.pods.failed("a")
        assert seen.usable == ["b"]
        seen.now_s += pause_s - 0.01
        seen.pods.replace([pod("a"), pod("b")])
        assert seen.usable == ["b"], "another list does not mend it"
        seen.now_s += 0.01
        seen.pods.replace([pod("a"), pod("b")])
        assert seen.usable == ["a", "b"]


async def test_a_pod_that_serves_again_is_forgiven() -> None:
    seen = Seen()
    seen.pods.replace([pod("a")])
    seen.pods.failed("a")
    seen.pods.failed("a")
    seen.pods.served("a")
    assert seen.usable == ["a"]
    seen.pods.failed("a")
    seen.now_s += 1
    seen.pods.replace([pod("a")])
    assert seen.usable == ["a"]


async def test_the_end_of_a_pause_is_told() -> None:
    seen = Seen()
    seen.pods.replace([pod("a")])
    seen.pods.failed("a")
    times = seen.times
    seen.now_s += 1
    await asyncio.sleep(1.05)
    assert (seen.times, seen.usable) == (times + 1, ["a"])


async def test_a_pod_that_left_has_no_failures() -> None:
    seen = Seen()
    seen.pods.replace([pod("a")])
    seen.pods.failed("a")
    seen.pods.failed("gone")
    seen.pods.replace([])
    seen.pods.replace([pod("a")])
    assert seen.usable == ["a"]


async def test_the_registry_file_is_followed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    seen, path = Seen(), tmp_path / "pods.json"

    async def until(names: list[str]) -> None:
        async with asyncio.timeout(2):
            while seen.usable != names:  # noqa: ASYNC110 - a file has no event
                await asyncio.sleep(0.01)

    watching = asyncio.create_task(seen.pods.watch(path))
    await asyncio.sleep(0.15)
    assert seen.times == 0, "no file yet"
    registry.write(path, [pod("a")])
    await until(["a"])
    path.write_text("[{")
    await asyncio.sleep(0.15)
    assert seen.usable == ["a"], "a broken list changes nothing"
    assert "the pods known before are kept" in caplog.text
    registry.write(path, [pod("a"), pod("b")])
    await until(["a", "b"])
    told = seen.times
    await asyncio.sleep(0.15)
    assert seen.times == told, "an unchanged list is not told again"
    path.unlink()
    await until([])
    watching.cancel()
