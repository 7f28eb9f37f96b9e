"""Children are made in order, made right again, and never half."""

import pytest
from tests.cluster.kubernetes import bodies
from tests.fakes.kubernetes_api import FakeApiServer

from tandem.api.role import Role
from tandem.cluster.kubernetes import api as api_module
from tandem.cluster.kubernetes.api import DEPLOYMENT, FLEET, ApiError
from tandem.cluster.kubernetes.seen import Seen
from tandem.controller import keep
from tandem.controller.keep import Children, OwnerGone

SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "chat-decode", "namespace": bodies.NAMESPACE},
    "spec": {"clusterIP": "None"},
}
OWNED = {"apiVersion": FLEET.api_version, "kind": FLEET.kind, "spec": {}}
ALL = [SERVICE, *(bodies.deployment(role) for role in Role)]
TWO = dict.fromkeys(Role, 2)
REFUSED = "spec.template.spec.containers[0].image: Required value"


@pytest.fixture(autouse=True)
def _one_try(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_module, "_PAUSES_S", ())


@pytest.fixture
def server() -> FakeApiServer:
    return FakeApiServer()


@pytest.fixture
def children(server: FakeApiServer) -> Children:
    seen = Seen()
    server.feed(seen)
    made = Children(server.api(), seen)
    made.want(ALL)
    return made


def replicas(server: FakeApiServer, role: Role) -> int:
    name = bodies.deployment(role)["metadata"]["name"]
    found: int = server.objects[DEPLOYMENT, bodies.NAMESPACE, name]["spec"]["replicas"]
    return found


async def test_children_are_made_with_the_replicas_of_a_new_role(
    server: FakeApiServer, children: Children
) -> None:
    await children.keep(TWO)

    assert {key[2] for key in server.objects} == {body["metadata"]["name"] for body in ALL}
    assert [replicas(server, role) for role in Role] == [2, 2]


async def test_what_is_as_it_shall_be_is_not_written_again(
    server: FakeApiServer, children: Children
) -> None:
    await children.keep(TWO)
    server.requests.clear()
    children.want(ALL)
    await children.keep(dict.fromkeys(Role, 7))

    assert server.writes() == []
    assert [replicas(server, role) for role in Role] == [2, 2]


async def test_a_template_that_the_server_refuses_leaves_everything_as_it_was(
    server: FakeApiServer, children: Children
) -> None:
    name = bodies.deployment(Role.DECODE)["metadata"]["name"]
    server.fail(422, method="PATCH", path=name, message=REFUSED)

    with pytest.raises(ApiError, match="Required value"):
        await children.keep(TWO)
    assert server.writes() == []
    assert server.objects == {}
    await children.keep(TWO)
    assert len(server.objects) == len(ALL)


async def test_nothing_is_made_again_for_a_fleet_that_went_unseen(
    server: FakeApiServer, children: Children
) -> None:
    await children.keep(TWO)
    server.remove(DEPLOYMENT, bodies.NAMESPACE, bodies.deployment(Role.DECODE)["metadata"]["name"])
    before = len(server.writes())

    with pytest.raises(OwnerGone, match="prod/chat is no more"):
        await children.keep(TWO)
    assert len(server.writes()) == before


async def test_a_deployment_that_was_deleted_is_made_again_at_once(
    server: FakeApiServer, children: Children
) -> None:
    server.put({**OWNED, "metadata": {"name": bodies.FLEET, "namespace": bodies.NAMESPACE}})
    fleet = server.objects[FLEET, bodies.NAMESPACE, bodies.FLEET]
    fleet["metadata"]["uid"] = bodies.OWNER["uid"]
    await children.keep(TWO)
    server.remove(DEPLOYMENT, bodies.NAMESPACE, bodies.deployment(Role.DECODE)["metadata"]["name"])
    await children.keep(dict.fromkeys(Role, 1))

    assert [replicas(server, role) for role in Role] == [2, 1]


async def test_an_edited_deployment_is_made_right_again(
    server: FakeApiServer, children: Children, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keep, "_PATIENCE_S", 0.0)
    await children.keep(TWO)
    wanted = bodies.deployment(Role.DECODE)
    key = DEPLOYMENT, bodies.NAMESPACE, wanted["metadata"]["name"]
    edited = {"spec": {"template": {"spec": {"containers": [{"name": "engine", "image": "x"}]}}}}
    server.edit(*key, edited)
    await children.keep(TWO)

    made = server.objects[key]["spec"]["template"]["spec"]["containers"][0]
    assert made["image"] == "engine:1"
    assert replicas(server, Role.DECODE) == 2
