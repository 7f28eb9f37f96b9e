from typing import Any

import pytest
from tests.cluster.kubernetes import bodies
from tests.fakes.kubernetes_api import FakeApiServer

from tandem.api.role import Role
from tandem.cluster.kubernetes import api as api_module
from tandem.cluster.kubernetes.api import DEPLOYMENT, POD, ApiError, Conflict
from tandem.cluster.kubernetes.apply import apply_deployment
from tandem.cluster.kubernetes.fleet import Drift, KubernetesFleet
from tandem.cluster.kubernetes.labels import DELETION_COST
from tandem.cluster.kubernetes.seen import Seen
from tandem.cluster.pod import PodPhase
from tandem.errors import TandemError

OLD, NEW = "aaaa0001", "bbbb0002"
NAME = f"chat-decode-h200-{OLD}"
KEY = DEPLOYMENT, bodies.NAMESPACE, NAME


@pytest.fixture(autouse=True)
def _one_try(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_module, "_PAUSES_S", ())


@pytest.fixture
async def server() -> FakeApiServer:
    """A server with two decode pods and one prefill pod asked for."""
    server = FakeApiServer()
    for role, count in ((Role.DECODE, 2), (Role.PREFILL, 1)):
        await apply_deployment(server.api(), bodies.deployment(role), count)
    return server


@pytest.fixture
def fleet(server: FakeApiServer) -> KubernetesFleet:
    return operator(server)


def operator(server: FakeApiServer, revision: str = OLD) -> KubernetesFleet:
    """A fleet as an operator has it that has just started, its watches up to date."""
    seen = Seen()
    for (kind, _, _), body in server.objects.items():
        if kind in {POD, DEPLOYMENT}:
            seen.event(kind, None, body)
    server.feed(seen)
    server.requests.clear()
    return KubernetesFleet(server.api(), seen, bodies.NAMESPACE, bodies.FLEET, revision)


def asked(server: FakeApiServer, name: str = NAME) -> int:
    replicas: int = server.objects[DEPLOYMENT, bodies.NAMESPACE, name]["spec"]["replicas"]
    return replicas


def costs(server: FakeApiServer) -> dict[str, Any]:
    return {
        name: body["metadata"].get("annotations", {}).get(DELETION_COST)
        for (kind, _, name), body in server.objects.items()
        if kind == POD
    }


# -- pods and what is asked for ------------------------------------------------------------------


async def test_a_new_revision_has_to_stand_in_for_the_largest_there_is(
    server: FakeApiServer,
) -> None:
    await apply_deployment(server.api(), bodies.deployment(Role.DECODE, NEW), 1)

    assert operator(server, NEW).sizes() == {Role.DECODE: 2, Role.PREFILL: 1}


async def test_pods_of_all_revisions_are_listed_and_gateways_are_not(server: FakeApiServer) -> None:
    server.put(bodies.pod("a", Role.PREFILL))
    server.put(bodies.pod("b", revision=NEW, ready=False))
    server.put(bodies.pod("gone", phase="Failed"))
    gateway = bodies.pod("gateway")
    del gateway["metadata"]["labels"]["tandem.dev/role"]
    server.put(gateway)
    pods = await operator(server).pods()
    assert [(p.name, p.role, p.revision, p.phase) for p in pods] == [
        ("a", Role.PREFILL, OLD, PodPhase.READY),
        ("b", Role.DECODE, NEW, PodPhase.STARTING),
    ]


async def test_a_restarted_operator_knows_what_was_asked_for(
    server: FakeApiServer, fleet: KubernetesFleet
) -> None:
    await fleet.scale(Role.DECODE, 5)
    assert await operator(server).desired() == {Role.DECODE: 5, Role.PREFILL: 1}


async def test_a_role_without_a_deployment_is_not_in_what_is_asked_for(
    server: FakeApiServer,
) -> None:
    assert await operator(server, NEW).desired() == {}


async def test_to_scale_what_is_not_there_yet_is_an_error_in_words(server: FakeApiServer) -> None:
    with pytest.raises(TandemError, match="fleet chat has no Deployment for decode bbbb0002 yet"):
        await operator(server, NEW).scale(Role.DECODE, 2)


# -- scaling --------------------------------------------------------------------------------------


async def test_more_pods_are_asked_for_in_one_request(
    server: FakeApiServer, fleet: KubernetesFleet
) -> None:
    await fleet.scale(Role.DECODE, 4)
    assert asked(server) == 4
    assert [method for method, _ in server.writes()] == ["PUT"]
    assert await fleet.desired() == {Role.DECODE: 4, Role.PREFILL: 1}


async def test_what_is_asked_for_already_is_not_asked_again(
    server: FakeApiServer, fleet: KubernetesFleet
) -> None:
    await fleet.scale(Role.DECODE, 2)
    assert server.requests == []


async def test_a_write_is_seen_before_the_watch_tells_it(server: FakeApiServer) -> None:
    fleet = operator(server)
    server.listeners.clear()
    await fleet.scale(Role.DECODE, 4)
    await fleet.scale(Role.DECODE, 4)
    assert len(server.requests) == 1
    assert fleet.drifted() == ()


async def test_the_pods_to_leave_are_named_in_order_before_the_scale(
    server: FakeApiServer,
) -> None:
    for name in "abcd":
        server.put(bodies.pod(name))
    server.put(bodies.pod("p", Role.PREFILL))
    server.put(bodies.pod("o", revision="another"))
    server.edit(*KEY, {"spec": {"replicas": 4}}, manager="tandem-scale")
    fleet = operator(server)
    await fleet.scale(Role.DECODE, 2, ["o", "p", "c", "a", "b", "d"])
    assert costs(server) == {"a": "-1", "b": None, "c": "-2", "d": None, "p": None, "o": None}
    assert [method for method, _ in server.writes()] == ["PATCH", "PATCH", "PUT"]


async def test_stale_costs_of_those_who_stay_are_removed_and_right_ones_left(
    server: FakeApiServer,
) -> None:
    for name, cost in (("a", "-1"), ("b", "-1")):
        body = bodies.pod(name)
        body["metadata"]["annotations"] = {DELETION_COST: cost}
        server.put(body)
    fleet = operator(server)
    await fleet.scale(Role.DECODE, 1, ["b", "a"])
    assert costs(server) == {"a": None, "b": "-1"}
    assert len(server.writes()) == 2


async def test_a_pod_that_went_meanwhile_is_no_obstacle(server: FakeApiServer) -> None:
    for name in "ab":
        server.put(bodies.pod(name))
    fleet = operator(server)
    server.before("PATCH", "pods/a", lambda: server.remove(POD, bodies.NAMESPACE, "a"))
    await fleet.scale(Role.DECODE, 1, ["a", "b"])
    assert asked(server) == 1


async def test_pods_that_drain_already_are_not_counted_as_those_to_leave(
    server: FakeApiServer,
) -> None:
    for name in "ab":
        server.put(bodies.pod(name))
    leaving = bodies.pod("c")
    leaving["metadata"]["deletionTimestamp"] = "2026-11-20T11:00:00Z"
    server.put(leaving)
    fleet = operator(server)
    await fleet.scale(Role.DECODE, 1, ["c", "a", "b"])
    assert costs(server) == {"a": "-1", "b": None, "c": None}


# -- others who write -----------------------------------------------------------------------------


async def test_after_a_conflict_it_looks_again_and_decides_again(
    server: FakeApiServer, fleet: KubernetesFleet
) -> None:
    server.before("PUT", "scale", lambda: server.scale_by_hand(bodies.NAMESPACE, NAME, 9))
    server.listeners.clear()
    for name in "abcdefghi":
        server.put(bodies.pod(name))
    await fleet.scale(Role.DECODE, 4, ["a"])
    assert asked(server) == 4
    assert [each.method for each in server.requests] == ["PUT", "GET", "PUT"]


async def test_a_conflict_that_never_ends_is_raised(
    server: FakeApiServer, fleet: KubernetesFleet
) -> None:
    server.fail(409, method="PUT", times=100)
    with pytest.raises(Conflict):
        await fleet.scale(Role.DECODE, 4)
    assert len(server.writes()) == 4
    assert await fleet.desired() == {Role.DECODE: 2, Role.PREFILL: 1}


async def test_a_humans_scale_is_told_and_put_back(
    server: FakeApiServer, fleet: KubernetesFleet
) -> None:
    await fleet.desired()
    server.scale_by_hand(bodies.NAMESPACE, NAME, 9)
    assert await fleet.desired() == {Role.DECODE: 2, Role.PREFILL: 1}
    (drift,) = fleet.drifted()
    assert drift == Drift(Role.DECODE, NAME, wanted=2, found=9)
    await fleet.scale(drift.role, drift.wanted)
    assert asked(server) == 2
    assert fleet.drifted() == ()


async def test_a_human_who_takes_it_back_himself_is_no_drift(
    server: FakeApiServer, fleet: KubernetesFleet
) -> None:
    await fleet.desired()
    for count in (9, 2):
        server.scale_by_hand(bodies.NAMESPACE, NAME, count)
    assert fleet.drifted() == ()


async def test_a_humans_scale_while_no_operator_looked_is_taken_as_it_is(
    server: FakeApiServer,
) -> None:
    server.scale_by_hand(bodies.NAMESPACE, NAME, 9)
    fleet = operator(server)
    assert await fleet.desired() == {Role.DECODE: 9, Role.PREFILL: 1}
    assert fleet.drifted() == ()


async def test_what_was_adopted_is_what_is_there_and_drifts_from_then_on(
    server: FakeApiServer, fleet: KubernetesFleet
) -> None:
    await fleet.desired()
    server.scale_by_hand(bodies.NAMESPACE, NAME, 9)
    fleet.adopt()
    assert await fleet.desired() == {Role.DECODE: 9, Role.PREFILL: 1}
    server.scale_by_hand(bodies.NAMESPACE, NAME, 7)
    assert fleet.drifted() == (Drift(Role.DECODE, NAME, wanted=9, found=7),)


async def test_our_own_write_whose_answer_was_lost_is_no_drift(
    server: FakeApiServer, fleet: KubernetesFleet
) -> None:
    await fleet.desired()
    server.fail(0, method="PUT", done=True)
    with pytest.raises(ApiError):
        await fleet.scale(Role.DECODE, 4)
    assert fleet.drifted() == ()
    assert await fleet.desired() == {Role.DECODE: 4, Role.PREFILL: 1}


async def test_our_own_write_that_failed_is_no_drift(
    server: FakeApiServer, fleet: KubernetesFleet
) -> None:
    await fleet.desired()
    server.fail(500, method="PUT")
    with pytest.raises(ApiError, match="500"):
        await fleet.scale(Role.DECODE, 4)
    assert fleet.drifted() == ()
    assert await fleet.desired() == {Role.DECODE: 2, Role.PREFILL: 1}


# -- revisions ------------------------------------------------------------------------------------


async def rolled_out(server: FakeApiServer, ready: int) -> KubernetesFleet:
    """Two decode and one prefill pod of the old revision, as many of the new, some decode Ready."""
    for role, count in ((Role.DECODE, 2), (Role.PREFILL, 1)):
        await apply_deployment(server.api(), bodies.deployment(role, NEW), count)
        for n in range(count):
            server.put(bodies.pod(f"{role}-old-{n}", role))
            is_ready = role is Role.PREFILL or n < ready
            server.put(bodies.pod(f"{role}-new-{n}", role, revision=NEW, ready=is_ready))
    return operator(server, NEW)


async def test_older_revisions_stay_until_both_roles_of_the_new_one_stand_in(
    server: FakeApiServer,
) -> None:
    fleet = await rolled_out(server, ready=1)
    assert await fleet.retire_old() == ()
    assert server.requests == []
    ready = bodies.pod("x", revision=NEW)["status"]
    server.edit(POD, bodies.NAMESPACE, "decode-new-1", {"status": ready})
    old = (NAME, f"chat-prefill-h200-{OLD}")
    assert await fleet.retire_old() == old
    assert not any((DEPLOYMENT, bodies.NAMESPACE, name) in server.objects for name in old)
    assert await fleet.retire_old() == ()


async def test_a_retirement_that_is_cut_goes_on(server: FakeApiServer) -> None:
    fleet = await rolled_out(server, ready=2)
    server.fail(403, method="DELETE", path="prefill")
    with pytest.raises(ApiError):
        await fleet.retire_old()
    assert await operator(server, NEW).retire_old() == (f"chat-prefill-h200-{OLD}",)


async def test_while_a_revision_rolls_out_only_the_new_one_is_scaled(
    server: FakeApiServer,
) -> None:
    fleet = await rolled_out(server, ready=0)
    await fleet.scale(Role.DECODE, 1, ["decode-old-0", "decode-new-1"])
    assert (asked(server), asked(server, f"chat-decode-h200-{NEW}")) == (2, 1)
    assert {name for name, cost in costs(server).items() if cost} == {"decode-new-1"}
