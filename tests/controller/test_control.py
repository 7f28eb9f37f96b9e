"""A whole fleet over time, on an API server in memory: made, kept, paused, moved, and cut off anywhere."""

import copy
from typing import Any

import pytest
from tests.api import documents
from tests.fakes.kubernetes_api import FakeApiServer
from tests.fakes.operator_in_memory import Killed, OperatorInMemory, Wire

from tandem.api.parse import parse_profile
from tandem.cluster.kubernetes import api as api_module
from tandem.cluster.kubernetes.api import CONFIG_MAP, DEPLOYMENT, EVENT, FLEET, POD, SERVICE
from tandem.cluster.kubernetes.labels import COMPONENT, REVISION, ROLE
from tandem.controller import keep

PLACE = "prod", "chat"
KEY = FLEET, *PLACE
PROFILE = parse_profile(documents.profile())
TURNS = 6  # more than any change takes


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_module, "_PAUSES_S", ())
    monkeypatch.setattr(keep, "_PATIENCE_S", 0.0)


@pytest.fixture
def server() -> FakeApiServer:
    return with_fleet()


def with_fleet(**changes: object) -> FakeApiServer:
    made = FakeApiServer()
    wished: dict[str, object] = {
        "prefill__replicas": {"min": 1, "max": 8},
        "decode__replicas": {"min": 2, "max": 8},
    }
    body = documents.fleet(**(wished | changes))
    metadata = {"name": "chat", "namespace": "prod", "generation": 1}
    made.put({**body, "metadata": metadata})
    return made


def edit(server: FakeApiServer, **spec: Any) -> None:
    """A person's kubectl patch: the API server counts the generation."""
    generation = server.objects[KEY]["metadata"]["generation"] + 1
    server.edit(*KEY, {"metadata": {"generation": generation}, "spec": spec})


async def run(server: FakeApiServer, wire: Wire | None = None) -> OperatorInMemory:
    """An operator that is started now and has some turns."""
    made = OperatorInMemory(server, *PLACE, wire)
    made.told(PROFILE)
    await made.run(TURNS)
    return made


def sizes(server: FakeApiServer) -> dict[tuple[str, str], int]:
    """Replicas by role and revision."""
    return {
        (body["metadata"]["labels"][ROLE], body["metadata"]["labels"][REVISION]): body["spec"][
            "replicas"
        ]
        for (kind, _, _), body in server.objects.items()
        if kind == DEPLOYMENT and ROLE in body["metadata"]["labels"]
    }


def roles(server: FakeApiServer) -> dict[str, int]:
    """Replicas by role; two revisions of one are a failure."""
    found = sizes(server)
    by_role = {role: count for (role, _), count in found.items()}
    assert len(by_role) == len(found), found
    return by_role


def engine_pods(server: FakeApiServer) -> set[str]:
    return {
        str(body["metadata"]["uid"])
        for (kind, _, _), body in server.objects.items()
        if kind == POD and body["metadata"]["labels"][COMPONENT] != "gateway"
    }


def events(server: FakeApiServer, reason: str = "") -> list[tuple[str, str]]:
    return sorted(
        (body["reason"], body["message"])
        for (kind, _, _), body in server.objects.items()
        if kind == EVENT and reason in {"", body["reason"]}
    )


def condition(server: FakeApiServer, type_: str) -> dict[str, Any]:
    claims = server.objects[KEY]["status"]["conditions"]
    return next(dict(claim) for claim in claims if claim["type"] == type_)


# -- what a person sees ---------------------------------------------------------------------------


async def test_a_fleet_is_made_and_told_ready(server: FakeApiServer) -> None:
    await run(server)

    assert roles(server) == {"prefill": 1, "decode": 2}
    assert len(engine_pods(server)) == 3
    assert condition(server, "Ready")["status"] == "True"
    assert server.objects[KEY]["status"]["phase"] == "Ready"
    services = {name for kind, _, name in server.objects if kind == SERVICE}
    assert services == {"chat-gateway", "chat-prefill", "chat-decode"}


async def test_a_fleet_at_rest_costs_no_request(server: FakeApiServer) -> None:
    made = await run(server)
    server.requests.clear()
    await made.run(20)

    assert server.writes() == []


async def test_replicas_that_somebody_sets_are_put_back_and_said_once(
    server: FakeApiServer,
) -> None:
    made = await run(server)
    name = next(key[2] for key in server.objects if key[0] == DEPLOYMENT and "-decode-" in key[2])
    server.scale_by_hand("prod", name, 7)
    await made.run(TURNS)

    assert roles(server) == {"prefill": 1, "decode": 2}
    ((_, message),) = events(server, "ReplicasPutBack")
    assert "decode was set to 7 by somebody else and is 2 again" in message


async def test_a_paused_fleet_keeps_what_others_set_and_goes_on_from_there(
    server: FakeApiServer,
) -> None:
    made = await run(server)
    edit(server, autoscaling={"mode": "Paused"})
    made.told(PROFILE)
    await made.run(TURNS)
    name = next(key[2] for key in server.objects if key[0] == DEPLOYMENT and "-decode-" in key[2])
    server.scale_by_hand("prod", name, 5)
    await made.run(TURNS)
    assert roles(server) == {"prefill": 1, "decode": 5}
    assert server.objects[KEY]["status"]["phase"] == "Paused"

    edit(server, autoscaling={"mode": "Auto"})
    made.told(PROFILE)
    await made.run(TURNS)
    assert roles(server)["decode"] == 5  # no figure says that fewer do
    assert events(server, "ReplicasPutBack") == []


async def test_a_new_revision_takes_the_place_of_the_old_at_its_size(server: FakeApiServer) -> None:
    made = await run(server)
    old = engine_pods(server)
    ((_, before), _) = sizes(server)
    edit(server, decode={"replicas": {"min": 4}})
    made.told(PROFILE)
    await made.run(TURNS)
    edit(server, engine={"image": "engine:2"}, decode={"replicas": {"min": 1}})
    made.told(PROFILE)
    await made.run(TURNS)

    assert roles(server) == {"prefill": 1, "decode": 4}
    assert before not in {revision for _, revision in sizes(server)}
    assert not old & engine_pods(server)


async def test_a_spec_that_cannot_be_carried_out_changes_nothing_and_is_mended(
    server: FakeApiServer,
) -> None:
    made = await run(server)
    before = engine_pods(server)
    pool = documents.POOL | {"profileRef": "nobody"}
    edit(server, decode={"pools": [pool]})
    made.told(PROFILE)
    await made.run(TURNS)
    assert condition(server, "Reconciled")["reason"] == "ProfileNotFound"
    assert server.objects[KEY]["status"]["phase"] == "Invalid"
    assert made.control.pauses_s[-1] > 60
    assert len(events(server, "ProfileNotFound")) == 1

    edit(server, decode={"pools": [documents.POOL]})
    made.told(PROFILE)
    await made.run(TURNS)
    assert condition(server, "Reconciled")["reason"] == "AsAsked"
    assert engine_pods(server) == before
    assert len(events(server, "Reconciled")) == 1


async def test_a_template_that_the_api_server_refuses_is_told(server: FakeApiServer) -> None:
    server.fail(422, times=99, path="/deployments/", message="spec.template: Invalid value")
    made = await run(server)
    assert condition(server, "Reconciled")["reason"] == "InvalidSpec"
    assert "spec.template: Invalid value" in condition(server, "Reconciled")["message"]

    server.faults.clear()
    await made.run(TURNS)
    assert condition(server, "Reconciled")["status"] == "True"
    assert roles(server) == {"prefill": 1, "decode": 2}


async def test_an_api_server_that_fails_is_asked_less_and_less_often_and_then_as_before(
    server: FakeApiServer,
) -> None:
    made = await run(server)
    server.fail(500, times=9, path="/scale")
    edit(server, decode={"replicas": {"min": 3}})
    made.told(PROFILE)
    made.control.pauses_s.clear()
    await made.run(9)
    assert made.control.pauses_s == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert condition(server, "Reconciled")["reason"] == "ApiError"
    assert condition(server, "Ready")["status"] == "True"

    await made.run(TURNS)
    assert made.control.pauses_s[-1] < 10
    assert condition(server, "Reconciled")["reason"] == "AsAsked"
    assert [reason for reason, _ in events(server) if reason in {"ApiError", "Reconciled"}] == [
        "ApiError",
        "Reconciled",
    ]


async def test_news_of_a_time_without_an_api_server_is_told_afterwards(
    server: FakeApiServer,
) -> None:
    made = await run(server)
    edit(server, decode={"replicas": {"min": 3}})
    server.fail(0, times=12)
    made.told(PROFILE)
    await made.run(TURNS + 12)

    assert roles(server)["decode"] == 3
    assert len(events(server, "ApiError")) == 1
    assert len(events(server, "ScaledUp")) == 1


async def test_an_event_whose_answer_is_lost_is_there_once(server: FakeApiServer) -> None:
    made = await run(server)
    server.fail(0, path="/events", done=True)
    edit(server, decode={"replicas": {"min": 3}})
    made.told(PROFILE)
    await made.run(TURNS)

    assert len(events(server, "ScaledUp")) == 1
    posts = [each for each in server.writes() if each == ("POST", "/api/v1/namespaces/prod/events")]
    assert len(posts) > len(events(server))


async def test_a_fleet_that_went_unseen_ends_its_loop_and_is_forgotten(
    server: FakeApiServer,
) -> None:
    made = await run(server)
    server.remove(*KEY)
    await made.run(TURNS)

    assert [key for key in server.objects if key[0] in {DEPLOYMENT, POD}] == []
    assert made.control.busy_s == 0
    assert "chat" not in "".join(str(family.samples) for family in made.figures.collect())


# -- cut off anywhere -----------------------------------------------------------------------------


async def requests_of(server: FakeApiServer, change: dict[str, Any] | None) -> int:
    """How many requests an operator makes for a change, or to make the fleet."""
    if change is not None:
        await run(server)
        edit(server, **change)
    server.requests.clear()
    await run(server)
    return len(server.requests)


CHANGES: dict[str, tuple[dict[str, Any] | None, dict[str, int]]] = {
    "made": (None, {"prefill": 1, "decode": 2}),
    "scaled": (
        {"decode": {"replicas": {"min": 5}}, "prefill": {"replicas": {"min": 2}}},
        {"prefill": 2, "decode": 5},
    ),
    "moved": ({"engine": {"image": "engine:2"}}, {"prefill": 1, "decode": 2}),
}


@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("name", CHANGES)
async def test_an_operator_that_dies_at_any_request_is_followed_by_one_that_does_the_rest(
    name: str, *, done: bool
) -> None:
    change, wanted = CHANGES[name]
    start = with_fleet()
    count = await requests_of(start, change)
    assert count > 3
    start = with_fleet()
    if change is not None:
        await run(start)
        edit(start, **change)
    start.listeners.clear()
    for kill_at in range(1, count + 1):
        server = copy.deepcopy(start)
        before = engine_pods(server)
        with pytest.raises(Killed):
            await run(server, Wire(server, kill_at, done=done))
        await run(server)

        assert roles(server) == wanted, kill_at
        assert len(engine_pods(server)) == sum(wanted.values()), kill_at
        assert name == "moved" or before <= engine_pods(server), kill_at
        assert condition(server, "Ready")["status"] == "True", kill_at
        assert len(events(server, "ScaledUp")) <= 2, kill_at
        assert any(key[0] == CONFIG_MAP and key[2] == "chat-memory" for key in server.objects)
