from typing import Any

import pytest
from tests.cluster.kubernetes import bodies
from tests.fakes.kubernetes_api import FakeApiServer

from tandem.cluster.kubernetes import memory as memory_module
from tandem.cluster.kubernetes.api import CONFIG_MAP, ApiError
from tandem.cluster.kubernetes.memory import KEY, ConfigMapStore
from tandem.planner.model import Memory

PLACE = CONFIG_MAP, bodies.NAMESPACE, f"{bodies.FLEET}-memory"


def remembered(started_s: float) -> Memory:
    return Memory(started_s=started_s, rates=((started_s, 5.0, 10.0),))


class Clock:
    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def server() -> FakeApiServer:
    return FakeApiServer()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(server: FakeApiServer, clock: Clock) -> ConfigMapStore:
    return ConfigMapStore(server.api(), bodies.NAMESPACE, bodies.FLEET, bodies.OWNER, clock)


async def again(server: FakeApiServer) -> tuple[Memory, str]:
    """What a new operator reads."""
    store = ConfigMapStore(server.api(), bodies.NAMESPACE, bodies.FLEET, bodies.OWNER)
    return await store.load(), store.trouble


async def test_a_restart_forgets_nothing(server: FakeApiServer, store: ConfigMapStore) -> None:
    assert await store.load() == Memory()
    await store.save(remembered(5.0), changed=True)
    assert await again(server) == (remembered(5.0), "")


async def test_it_goes_with_the_fleet(server: FakeApiServer, store: ConfigMapStore) -> None:
    await store.save(remembered(5.0), changed=True)
    assert server.objects[PLACE]["metadata"]["ownerReferences"] == [bodies.OWNER]
    assert server.objects[PLACE]["metadata"]["labels"]["tandem.dev/fleet"] == bodies.FLEET


async def test_between_changes_it_is_written_every_five_minutes(
    server: FakeApiServer, store: ConfigMapStore, clock: Clock
) -> None:
    await store.save(remembered(1.0), changed=False)
    clock.now_s += 299
    await store.save(remembered(2.0), changed=False)
    assert len(server.writes()) == 1
    clock.now_s += 1
    await store.save(remembered(3.0), changed=False)
    assert len(server.writes()) == 2
    await store.save(remembered(4.0), changed=True)
    assert (await again(server))[0] == remembered(4.0)


async def test_a_text_that_did_not_change_is_not_written(
    server: FakeApiServer, store: ConfigMapStore
) -> None:
    await store.save(remembered(1.0), changed=True)
    await store.save(remembered(1.0), changed=True)
    assert len(server.writes()) == 1


async def test_a_write_that_failed_is_owed(server: FakeApiServer, store: ConfigMapStore) -> None:
    await store.save(remembered(1.0), changed=True)
    server.fail(403)
    with pytest.raises(ApiError):
        await store.save(remembered(2.0), changed=True)
    await store.save(remembered(3.0), changed=False)
    assert (await again(server))[0] == remembered(3.0)


@pytest.mark.parametrize("data", [{KEY: "{"}, {KEY: "[]"}, {}])
async def test_a_damaged_memory_is_fresh_and_said_until_it_was_written_twice(
    server: FakeApiServer, store: ConfigMapStore, data: Any
) -> None:
    named = {"apiVersion": "v1", "kind": "ConfigMap"}
    server.put({**named, "metadata": {"name": PLACE[2], "namespace": PLACE[1]}, "data": data})
    assert await store.load() == Memory()
    assert "damaged" in store.trouble
    await store.save(remembered(1.0), changed=False)
    assert "damaged" in store.trouble
    await store.save(remembered(2.0), changed=True)
    assert store.trouble == ""
    assert await again(server) == (remembered(2.0), "")


async def test_what_is_too_large_is_not_kept_and_said(
    server: FakeApiServer, store: ConfigMapStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.save(remembered(1.0), changed=True)
    monkeypatch.setattr(memory_module, "MOST_BYTES", 10)
    await store.save(remembered(2.0), changed=True)
    assert store.trouble.endswith("more than 10: the old one is kept")
    assert (await again(server))[0] == remembered(1.0)
