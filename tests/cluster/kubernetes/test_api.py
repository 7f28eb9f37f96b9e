import asyncio

import pytest
from tests.cluster.kubernetes import bodies
from tests.fakes.kubernetes_api import FakeApiServer

from tandem.cluster.kubernetes import api as api_module
from tandem.cluster.kubernetes.api import (
    CONFIG_MAP,
    DEPLOYMENT,
    NODE,
    ApiError,
    Conflict,
    Forbidden,
    Unreachable,
)
from tandem.cluster.kubernetes.request import Answer, Request
from tandem.errors import InvalidInputError

NAMESPACE = bodies.NAMESPACE
MAP = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "m", "namespace": NAMESPACE, "labels": {"a": "b"}},
    "data": {"x": "1", "y": "2"},
}


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_module, "_PAUSES_S", (0.0, 0.0, 0.0))


@pytest.fixture
def server() -> FakeApiServer:
    return FakeApiServer()


async def test_what_was_applied_is_got_and_listed_with_its_kind(server: FakeApiServer) -> None:
    api = server.api()
    await api.apply(MAP)
    found = await api.get(CONFIG_MAP, NAMESPACE, "m")
    assert found is not None
    assert found["data"] == MAP["data"]
    assert await api.list(CONFIG_MAP, selector="a=b") == [found]
    assert await api.list(CONFIG_MAP, NAMESPACE, "a=c") == []
    assert await api.list(CONFIG_MAP, "elsewhere") == []


async def test_what_is_not_there_is_none_and_may_be_deleted(server: FakeApiServer) -> None:
    api = server.api()
    assert await api.get(CONFIG_MAP, NAMESPACE, "m") is None
    await api.delete(CONFIG_MAP, NAMESPACE, "m")
    assert api.requests == {("GET", 404): 1, ("DELETE", 404): 1}


async def test_a_field_that_is_no_longer_applied_goes_unless_another_owns_it(
    server: FakeApiServer,
) -> None:
    api = server.api()
    await api.apply(MAP)
    await api.apply(MAP | {"data": {"y": "2"}}, manager="another")
    after = await api.apply(MAP | {"data": {}})
    assert after["data"] == {"y": "2"}


async def test_a_merge_patch_sets_and_removes(server: FakeApiServer) -> None:
    api = server.api()
    await api.apply(MAP)
    after = await api.merge(CONFIG_MAP, NAMESPACE, "m", {"data": {"x": None, "z": "3"}})
    assert after["data"] == {"y": "2", "z": "3"}


async def test_a_status_is_applied_beside_the_spec(server: FakeApiServer) -> None:
    api = server.api()
    named = {"apiVersion": "tandem.dev/v1alpha1", "kind": "DisaggregatedLLM"}
    fleet = {**named, "metadata": {"name": "chat", "namespace": NAMESPACE}}
    server.put(fleet | {"spec": {"x": 1}})
    after = await api.apply_status(fleet | {"status": {"phase": "Ready"}})
    assert (after["spec"], after["status"]) == ({"x": 1}, {"phase": "Ready"})
    assert server.requests[-1].path.endswith("/namespaces/prod/disaggregatedllms/chat/status")


async def test_a_stale_scale_is_a_conflict_and_a_fresh_one_is_done(server: FakeApiServer) -> None:
    api = server.api()
    stale = server.put(bodies.deployment())["metadata"]
    fresh = server.edit(DEPLOYMENT, NAMESPACE, stale["name"], {"metadata": {"labels": {"a": "b"}}})
    with pytest.raises(Conflict, match="has been modified") as error:
        await api.put_scale(NAMESPACE, stale["name"], 3, stale["resourceVersion"])
    told = "PUT Deployment prod/chat-decode-h200-aaaa0001/scale: 409 Conflict: deployments "
    assert str(error.value).startswith(told)
    await api.put_scale(NAMESPACE, stale["name"], 3, fresh["metadata"]["resourceVersion"])
    after = await api.get(DEPLOYMENT, NAMESPACE, stale["name"])
    assert after is not None
    assert after["spec"]["replicas"] == 3


async def test_only_the_object_of_the_uid_is_deleted(server: FakeApiServer) -> None:
    api = server.api()
    uid = (await api.apply(MAP))["metadata"]["uid"]
    with pytest.raises(Conflict):
        await api.delete(CONFIG_MAP, NAMESPACE, "m", "another-uid")
    await api.delete(CONFIG_MAP, NAMESPACE, "m", uid)
    assert await api.get(CONFIG_MAP, NAMESPACE, "m") is None


async def test_what_is_there_already_is_a_conflict_to_create(server: FakeApiServer) -> None:
    api = server.api()
    await api.create(MAP)
    with pytest.raises(Conflict, match="already exists"):
        await api.create(MAP)


async def test_an_object_of_the_whole_cluster_has_no_namespace_in_its_path(
    server: FakeApiServer,
) -> None:
    server.put({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n"}})
    assert await server.api().get(NODE, "", "n") is not None
    assert server.requests[-1].path == "/api/v1/nodes/n"


async def test_a_kind_that_nobody_knows_is_refused_before_it_is_sent(server: FakeApiServer) -> None:
    with pytest.raises(InvalidInputError, match="v1 Teapot"):
        await server.api().apply(MAP | {"kind": "Teapot"})
    assert server.requests == []


@pytest.mark.parametrize("status", [0, 429, 500, 502, 503, 504])
async def test_what_passes_is_tried_again(server: FakeApiServer, status: int) -> None:
    server.fail(status, times=2)
    api = server.api()
    await api.apply(MAP)
    assert api.requests == {("PATCH", status): 2, ("PATCH", 200): 1}


async def test_what_stays_is_raised_after_a_few_tries(server: FakeApiServer) -> None:
    server.fail(500, times=100, message="etcdserver:\n  no leader")
    with pytest.raises(ApiError, match="500 Injected: etcdserver: no leader") as error:
        await server.api().apply(MAP)
    assert (error.value.status, error.value.reason) == (500, "Injected")
    assert len(server.requests) == 4


async def test_what_is_refused_is_not_tried_again(server: FakeApiServer) -> None:
    server.fail(403)
    with pytest.raises(Forbidden):
        await server.api().list(CONFIG_MAP)
    assert len(server.requests) == 1


async def test_a_wait_that_the_server_asks_for_beyond_the_budget_is_raised_at_once(
    server: FakeApiServer,
) -> None:
    server.fail(429, retry_after_s=30)
    with pytest.raises(ApiError, match="429"):
        await server.api().list(CONFIG_MAP)
    assert len(server.requests) == 1


async def test_a_wait_that_the_server_asks_for_is_kept(
    server: FakeApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []

    async def sleep(wait_s: float) -> None:
        waits.append(wait_s)

    server.fail(429, retry_after_s=2)
    api = server.api()
    monkeypatch.setattr("tandem.cluster.kubernetes.api.asyncio.sleep", sleep)
    await api.list(CONFIG_MAP)
    assert 2 in waits


async def test_a_server_that_says_nothing_is_unreachable(
    server: FakeApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api_module, "_BUDGET_S", 0.1)
    server.slow_s = 1.0
    with pytest.raises(
        Unreachable, match="no answer Timeout: the API server said nothing"
    ) as error:
        await server.api().get(CONFIG_MAP, NAMESPACE, "m")
    assert error.value.status == 0


async def test_a_slow_server_is_waited_for(
    server: FakeApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api_module, "_BUDGET_S", 5.0)
    server.slow_s = 0.05
    api = server.api()
    assert await api.list(CONFIG_MAP) == []
    assert api.requests == {("GET", 200): 1}


async def test_a_creation_whose_answer_was_lost_is_not_made_twice(server: FakeApiServer) -> None:
    server.fail(0, method="POST", done=True)
    with pytest.raises(Unreachable):
        await server.api().create(MAP)
    assert len(server.requests) == 1


async def test_a_creation_that_never_left_is_made_again(server: FakeApiServer) -> None:
    server.fail(0, method="POST")
    await server.api().create(MAP)
    assert len(server.requests) == 2


async def test_a_flood_of_requests_waits_for_its_turn(server: FakeApiServer) -> None:
    server.slow_s = 0.01
    under_way, most = 0, 0
    send = server.send

    async def counted(request: Request, timeout_s: float) -> Answer:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        answer = await send(request, timeout_s)
        under_way -= 1
        return answer

    server.send = counted  # type: ignore[method-assign]
    api = server.api()
    names = [f"m-{number}" for number in range(100)]
    await asyncio.gather(*(api.get(CONFIG_MAP, NAMESPACE, name) for name in names))
    assert most == 32
    assert len(server.requests) == len(names)
