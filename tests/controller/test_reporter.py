"""A turn is told as status and Events, whatever the API server makes of it."""

from typing import Any

import pytest
from tests.api.documents import fleet
from tests.fakes.kubernetes_api import FakeApiServer

from tandem.cluster.kubernetes import api as api_module
from tandem.cluster.kubernetes.api import EVENT, FLEET
from tandem.controller.metrics import OperatorMetrics
from tandem.controller.reporter import Reporter
from tandem.errors import InvalidInputError

WRONG = InvalidInputError("spec.slo.ttft.target", "soon", "a duration")


@pytest.fixture(autouse=True)
def _one_try(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_module, "_PAUSES_S", ())


@pytest.fixture
def server() -> FakeApiServer:
    return FakeApiServer()


def resource() -> dict[str, Any]:
    body = fleet()
    body["metadata"] |= {"namespace": "prod", "uid": "u1", "generation": 3}
    return body


def reporter(server: FakeApiServer) -> Reporter:
    server.put(resource())
    return Reporter(server.api(), OperatorMetrics(), "prod", resource()["metadata"]["name"])


def posted(server: FakeApiServer) -> dict[str, str]:
    return {
        body["reason"]: body["message"]
        for (kind, _, _), body in server.objects.items()
        if kind == EVENT
    }


async def test_a_refused_spec_is_told_in_status_and_event(server: FakeApiServer) -> None:
    await reporter(server).refused(resource(), WRONG)

    key = FLEET, "prod", resource()["metadata"]["name"]
    status = server.objects[key]["status"]
    ready = next(claim for claim in status["conditions"] if claim["type"] == "Ready")
    assert (ready["status"], ready["reason"]) == ("False", "InvalidSpec")
    assert status["observedGeneration"] == 3
    assert "spec.slo.ttft.target" in posted(server)["InvalidSpec"]


async def test_a_status_that_is_refused_is_said_by_an_event_and_stops_no_other(
    server: FakeApiServer,
) -> None:
    telling = reporter(server)
    server.fail(500, times=2, path="/status", message=".status.cost: field not declared in schema")
    await telling.refused(resource(), WRONG)

    assert set(posted(server)) == {"InvalidSpec", "StatusRefused"}
    assert "kubectl apply -f crds/" in posted(server)["StatusRefused"]
    await telling.refused(resource(), WRONG)
    await telling.refused(resource(), WRONG)
    assert "status" in server.objects[FLEET, "prod", resource()["metadata"]["name"]]


async def test_an_event_that_could_not_be_posted_is_posted_with_the_next_turn(
    server: FakeApiServer,
) -> None:
    telling = reporter(server)
    server.fail(500, path="/events")
    await telling.refused(resource(), WRONG)
    assert posted(server) == {}
    await telling.refused(resource(), WRONG)

    assert set(posted(server)) == {"InvalidSpec"}


async def test_an_event_of_a_namespace_that_is_going_is_let_go(server: FakeApiServer) -> None:
    telling = reporter(server)
    gone = "unable to create new content in namespace prod because it is being terminated"
    server.fail(403, path="/events", message=gone)
    await telling.refused(resource(), WRONG)
    server.requests.clear()
    await telling.refused(resource(), WRONG)

    assert posted(server) == {}
    assert not [each for each in server.requests if each.path.endswith("/events")]
