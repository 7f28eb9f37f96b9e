import pytest
from tests.cluster.kubernetes import bodies
from tests.fakes.kubernetes_api import FakeApiServer
from tests.planner.test_decisions import told

from tandem.cluster.kubernetes.api import CONFIG_MAP
from tandem.cluster.kubernetes.decisions import KEY, ConfigMapDecisions, stored
from tandem.planner.decisions import Decisions, to_text

PLACE = CONFIG_MAP, bodies.NAMESPACE, f"{bodies.FLEET}-decisions"
KEPT = Decisions((told(5.0), told(1.0, 1, 2)))


def store(server: FakeApiServer) -> ConfigMapDecisions:
    return ConfigMapDecisions(server.api(), bodies.NAMESPACE, bodies.FLEET, bodies.OWNER)


async def test_a_restart_forgets_nothing() -> None:
    server = FakeApiServer()
    assert await store(server).load() == Decisions()
    await store(server).save(KEPT)
    assert await store(server).load() == KEPT
    assert await stored(server.api(), bodies.NAMESPACE, bodies.FLEET) == to_text(KEPT)


async def test_it_goes_with_the_fleet() -> None:
    server = FakeApiServer()
    await store(server).save(KEPT)
    assert server.objects[PLACE]["metadata"]["ownerReferences"] == [bodies.OWNER]
    assert server.objects[PLACE]["metadata"]["labels"]["tandem.dev/fleet"] == bodies.FLEET


@pytest.mark.parametrize("data", [{KEY: "{"}, {KEY: "[7]"}, {}, None])
async def test_what_is_damaged_begins_anew(data: object) -> None:
    server = FakeApiServer()
    named = {"apiVersion": "v1", "kind": "ConfigMap"}
    server.put({**named, "metadata": {"name": PLACE[2], "namespace": PLACE[1]}, "data": data})
    assert await store(server).load() == Decisions()
