"""A missing permission is one line that names it, found before the first fleet is touched."""

from typing import Any

import pytest
from tests.fakes.kubernetes_api import FakeApiServer

from tandem.cluster.kubernetes.kinds import ACCESS_REVIEW
from tandem.cluster.kubernetes.request import Answer, Request
from tandem.controller.permissions import PERMISSIONS, check
from tandem.errors import TandemError


class Authorizer(FakeApiServer):
    """Grants everything but one verb on one resource."""

    refused: tuple[str, str] = ("", "")

    async def send(self, request: Request, timeout_s: float) -> Answer:
        self.requests.append(request)
        asked = request.body["spec"]["resourceAttributes"]
        resource = "/".join(part for part in (asked["resource"], asked["subresource"]) if part)
        return Answer(201, {"status": {"allowed": (asked["verb"], resource) != self.refused}})


def asked(server: Authorizer) -> list[dict[str, Any]]:
    return [each.body["spec"]["resourceAttributes"] for each in server.requests]


async def test_every_verb_is_asked_for_once_where_the_operator_watches() -> None:
    server = Authorizer()
    await check(server.api(), "prod")

    assert len(asked(server)) == sum(len(permission.verbs) for permission in PERMISSIONS)
    assert {each["namespace"] for each in asked(server)} == {"prod"}
    assert {each.path for each in server.requests} == {ACCESS_REVIEW.path()}


async def test_no_namespace_asks_for_all_of_them() -> None:
    server = Authorizer()
    await check(server.api(), None)

    assert all("namespace" not in each for each in asked(server))


@pytest.mark.parametrize(
    ("verb", "resource", "words"),
    [
        ("update", "deployments/scale", "may not update deployments/scale.apps in namespace prod"),
        ("create", "events", "may not create events in namespace prod"),
    ],
)
async def test_a_missing_permission_is_named(verb: str, resource: str, words: str) -> None:
    server = Authorizer()
    server.refused = verb, resource

    with pytest.raises(TandemError, match=words):
        await check(server.api(), "prod")
