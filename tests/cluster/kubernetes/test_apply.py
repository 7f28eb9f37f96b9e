import contextlib
from typing import Any

import pytest
from tests.cluster.kubernetes import bodies
from tests.fakes.kubernetes_api import FakeApiServer

from tandem.cluster.kubernetes import api as api_module
from tandem.cluster.kubernetes.api import DEPLOYMENT, ApiError
from tandem.cluster.kubernetes.apply import apply_child, apply_deployment
from tandem.cluster.kubernetes.labels import MANAGER, SCALE_MANAGER
from tandem.cluster.kubernetes.managed import is_ours, replica_owners, replicas

BODY = bodies.deployment()
NAME = BODY["metadata"]["name"]
KEY = DEPLOYMENT, bodies.NAMESPACE, NAME
SERVICE: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "s", "namespace": bodies.NAMESPACE},
    "spec": {"ports": [{"port": 80}]},
}


@pytest.fixture(autouse=True)
def _one_try(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_module, "_PAUSES_S", ())


@pytest.fixture
def server() -> FakeApiServer:
    return FakeApiServer()


async def test_a_new_deployment_has_its_replicas_and_both_managers_own_them(
    server: FakeApiServer,
) -> None:
    made = await apply_deployment(server.api(), BODY, 3)
    assert replicas(made) == 3
    assert replica_owners(made) == {MANAGER, SCALE_MANAGER}


async def test_a_later_apply_lets_go_of_the_replicas_and_leaves_them(
    server: FakeApiServer,
) -> None:
    api = server.api()
    await apply_deployment(api, BODY, 3)
    changed = BODY | {"spec": {"template": {"spec": {"terminationGracePeriodSeconds": 9}}}}
    after = await apply_deployment(api, changed, 1)
    assert replicas(after) == 3
    assert replica_owners(after) == {SCALE_MANAGER}


async def test_a_scaled_value_outlives_every_later_apply(server: FakeApiServer) -> None:
    api = server.api()
    made = await apply_deployment(api, BODY, 3)
    await api.put_scale(bodies.NAMESPACE, NAME, 7, made["metadata"]["resourceVersion"])
    for image in ("engine:2", "engine:3"):
        spec = {"template": {"spec": {"containers": [{"name": "engine", "image": image}]}}}
        after = await apply_deployment(api, BODY | {"spec": spec}, 1)
    assert replicas(after) == 7
    assert is_ours(after)


@pytest.mark.parametrize("done", [False, True])
@pytest.mark.parametrize("after_requests", range(6))
async def test_a_kill_between_any_two_requests_loses_no_replicas(
    server: FakeApiServer, after_requests: int, *, done: bool
) -> None:
    """Two reconciles and a scale, cut at each request, its effect had or not; then one more."""
    api, count = server.api(), 0

    async def reconcile() -> None:
        await apply_deployment(api, BODY, 3)
        found = await api.get(*KEY)
        assert found is not None
        await api.put_scale(bodies.NAMESPACE, NAME, 7, found["metadata"]["resourceVersion"])
        await apply_deployment(api, BODY, 3)

    plain = server.send

    async def cut(request: Any, timeout_s: float) -> Any:
        nonlocal count
        if count == after_requests:
            if done:
                await plain(request, timeout_s)
            raise TimeoutError
        count += 1
        return await plain(request, timeout_s)

    server.send = cut  # type: ignore[method-assign]
    with contextlib.suppress(ApiError):
        await reconcile()
    before = server.objects.get(KEY)
    server.send = plain  # type: ignore[method-assign]
    await apply_deployment(api, BODY, 3)
    after = await apply_deployment(api, BODY, 3)
    assert replicas(after) == (replicas(before) if before else 3)
    assert SCALE_MANAGER in replica_owners(after)


async def test_nothing_is_written_while_all_is_as_wanted(server: FakeApiServer) -> None:
    api = server.api()
    await apply_deployment(api, BODY, 3)
    seen = await apply_deployment(api, BODY, 3)
    api.requests.clear()
    assert await apply_deployment(api, BODY, 1, seen) == seen
    assert not api.requests


async def test_an_unseen_deployment_is_looked_for_before_it_is_made(server: FakeApiServer) -> None:
    api = server.api()
    made = await apply_deployment(api, BODY, 3)
    await api.put_scale(bodies.NAMESPACE, NAME, 7, made["metadata"]["resourceVersion"])
    assert replicas(await apply_deployment(api, BODY, 3, None)) == 7


async def test_replicas_that_a_human_owns_are_not_reset_by_an_apply(server: FakeApiServer) -> None:
    api = server.api()
    await apply_deployment(api, BODY, 3)
    server.scale_by_hand(bodies.NAMESPACE, NAME, 9)
    after = await apply_deployment(api, BODY, 3)
    assert replicas(after) == 9
    assert not is_ours(after)


async def test_a_child_is_written_once(server: FakeApiServer) -> None:
    api = server.api()
    found = await apply_child(api, SERVICE, None)
    assert await apply_child(api, SERVICE, found) == found
    assert len(server.writes()) == 1


async def test_what_a_human_edits_is_put_back(server: FakeApiServer) -> None:
    api = server.api()
    found = await apply_child(api, SERVICE, None)
    server.edit(api_module.SERVICE, bodies.NAMESPACE, "s", {"spec": {"ports": [{"port": 81}]}})
    edited = await api.get(api_module.SERVICE, bodies.NAMESPACE, "s")
    assert (await apply_child(api, SERVICE, edited))["spec"] == found["spec"]


async def test_a_field_that_is_no_longer_wanted_is_removed(server: FakeApiServer) -> None:
    api = server.api()
    more = SERVICE | {"spec": {"ports": [{"port": 80}], "clusterIP": "None"}}
    found = await apply_child(api, more, None)
    assert "clusterIP" not in (await apply_child(api, SERVICE, found))["spec"]


async def test_what_the_server_fills_in_is_no_difference(server: FakeApiServer) -> None:
    api = server.api()
    await apply_child(api, SERVICE, None)
    filled = {"spec": {"type": "ClusterIP", "ports": [{"port": 80, "protocol": "TCP"}]}}
    found = server.edit(api_module.SERVICE, bodies.NAMESPACE, "s", filled)
    assert await apply_child(api, SERVICE, found) == found
