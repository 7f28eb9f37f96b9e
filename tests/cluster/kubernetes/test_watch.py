import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from tests.fakes.watch_server import WatchServer, engine_pod, serving

from tandem.cluster.kubernetes.watch import Patience, PodWatch, follow, selector
from tandem.cluster.kubernetes.watch_connection import WatchConnection
from tandem.cluster.pod import Pod, PodPhase

QUICK = Patience(watch_s=2, silence_s=3, pause_s=0.01, longest_pause_s=0.02, calm_s=0.5)


class Watched(WatchServer):
    """A server, and what its watcher told last."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[Sequence[Pod]] = []

    @property
    def phases(self) -> dict[str, PodPhase]:
        return {pod.name: pod.phase for pod in self.told[-1]} if self.told else {}

    async def until(self, happened: Callable[[], object]) -> None:
        async with asyncio.timeout(8):
            while not happened():  # noqa: ASYNC110 - what happens has no event of its own
                await asyncio.sleep(0.005)


def led_to(kubeconfig: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The client reads $KUBECONFIG once, when it is imported."""
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
    place = "kubernetes.aio.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION"
    monkeypatch.setattr(place, str(kubeconfig))


@asynccontextmanager
async def watched(
    folder: Path, monkeypatch: pytest.MonkeyPatch, patience: Patience = QUICK
) -> AsyncIterator[Watched]:
    """A server with one pod, and a watch that has begun."""
    server = Watched()
    server.put(engine_pod("p0"))
    led_to(folder / "config", monkeypatch)
    async with serving(server, folder / "config"):
        connection = await WatchConnection.open()
        watch = PodWatch(connection, "prod", "chat", server.told.append, patience)
        task = asyncio.create_task(watch.run())
        try:
            await server.until(lambda: server.told and server.open_watches)
            yield server
            assert not task.done(), "it never ends by itself"
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            await connection.close()


@pytest.fixture
async def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Watched]:
    async with watched(tmp_path, monkeypatch) as made:
        yield made


async def test_the_server_selects_and_the_watch_begins_where_the_list_ended(
    server: Watched,
) -> None:
    assert server.lists == [{"labelSelector": selector("chat")}]
    assert selector("chat") == "tandem.dev/fleet=chat,tandem.dev/role in (prefill,decode)"
    (watch,) = server.watches
    assert watch["labelSelector"] == selector("chat")
    assert (watch["resourceVersion"], watch["allowWatchBookmarks"]) == ("101", "true")
    assert server.told[0][0].url == "http://10.88.0.7:8000"


async def test_a_pod_comes_is_ready_drains_and_goes(server: Watched) -> None:
    server.put(engine_pod("d0", "decode", ready=False))
    await server.until(lambda: server.phases.get("d0") is PodPhase.STARTING)
    server.put(engine_pod("d0", "decode"))
    await server.until(lambda: server.phases["d0"] is PodPhase.READY)
    server.put(engine_pod("d0", "decode", deletionTimestamp="2026-01-01T00:00:00Z"))
    await server.until(lambda: server.phases["d0"] is PodPhase.DRAINING)
    server.drop("d0")
    await server.until(lambda: "d0" not in server.phases)
    assert (len(server.lists), len(server.told)) == (1, 5)


async def test_what_changes_nothing_is_not_told(server: Watched) -> None:
    server.put(engine_pod("p0", annotations={"a": "b"}))
    server.put(engine_pod("p1"))
    await server.until(lambda: "p1" in server.phases)
    assert len(server.told) == 2


async def test_a_pod_whose_containers_ended_for_good_is_gone(server: Watched) -> None:
    ended = engine_pod("p0", ready=False)
    server.put({**ended, "status": {**ended["status"], "phase": "Failed"}})
    await server.until(lambda: server.phases == {} and len(server.told) == 2)


async def test_a_watch_that_the_server_ends_goes_on_from_its_bookmark(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    patience = Patience(watch_s=1, silence_s=3, pause_s=0.01, calm_s=0.5)
    async with watched(tmp_path, monkeypatch, patience) as server:
        version = server.bookmark()
        await server.until(lambda: len(server.watches) > 1)
        assert server.watches[1]["resourceVersion"] == version
        assert len(server.lists) == 1
        assert len(server.told) == 1, "a bookmark is no change"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        pytest.param(None, "", id="cut"),
        pytest.param(b'{"type": "ADDED", "obj\n', "", id="half an event"),
        pytest.param(b"[]\n", "an event is a JSON object", id="no object"),
        pytest.param(
            json.dumps({"type": "ERROR", "object": {"code": 410, "reason": "Expired"}}).encode()
            + b"\n",
            "410 Expired",
            id="expired",
        ),
    ],
)
async def test_a_watch_that_fails_is_answered_by_another_list(
    server: Watched, line: bytes | None, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    if line is None:
        server.cut()
    else:
        server.write(line)
    server.pods["p1"] = engine_pod("p1")  # its event was missed
    await server.until(lambda: "p1" in server.phases)
    assert len(server.lists) == 2
    assert "the pods known before are kept" in caplog.text
    assert said in caplog.text


@pytest.mark.parametrize("status", [401, 410, 500])
async def test_a_refused_watch_is_answered_by_another_list(server: Watched, status: int) -> None:
    server.watch_answers.append(status)
    server.cut()
    await server.until(lambda: len(server.watches) == 3)
    assert len(server.lists) == 3


async def test_while_the_server_refuses_lists_the_pods_are_kept(
    server: Watched, caplog: pytest.LogCaptureFixture
) -> None:
    server.list_answers.extend([500, 429, 403, 401, 503])
    server.cut()
    await server.until(lambda: len(server.watches) == 2)
    assert [len(told) for told in server.told] == [1, 1], "no empty list in between"
    assert "LIST pods: 403 Told: as told" in caplog.text


async def test_a_silent_stream_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    patience = Patience(watch_s=60, silence_s=0.2, pause_s=0.01)
    async with watched(tmp_path, monkeypatch, patience) as server:
        server.is_mute = True
        server.cut()
        await server.until(lambda: len(server.watches) == 3)
        assert len(server.lists) == 3


async def test_pauses_grow_while_failures_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    patience = Patience(pause_s=0.05, longest_pause_s=10)
    async with watched(tmp_path, monkeypatch, patience) as server:
        server.list_answers.extend([500] * 50)
        server.cut()
        await asyncio.sleep(1.0)
        # at 50 ms, 100 ms, 200 ms, ... and between half and all of each
        assert 4 <= len(server.lists) <= 7


async def test_a_gateway_that_comes_before_the_server_waits_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    server = Watched()
    server.put(engine_pod("p0"))
    led_to(tmp_path / "config", monkeypatch)
    task = asyncio.create_task(follow("prod", "chat", server.told.append))
    await server.until(lambda: "no way to the API server" in caplog.text)
    async with serving(server, tmp_path / "config"):
        await server.until(lambda: server.phases == {"p0": PodPhase.READY})
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
