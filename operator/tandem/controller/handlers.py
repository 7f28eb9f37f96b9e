"""What kopf tells, passed on: level-based, so no handler stores or decides anything.

Only `on.event` is used: no finalizer, timer, daemon or delete handler, each of which would leave a
resource that can't be deleted once the operator is gone.
"""

import itertools
from collections.abc import Iterator
from typing import Any

import kopf

from tandem.api.base import GROUP, VERSION
from tandem.cluster.kubernetes import api, labels
from tandem.cluster.kubernetes.seen import Seen
from tandem.controller.fleets import Fleets

_SERVER_TIMEOUT_S = 300  # the API server ends a watch after it; a fresh one follows
_CLIENT_TIMEOUT_S = 330
_REQUEST_TIMEOUT_S = 60
_CONNECT_TIMEOUT_S = 10
_CHUNK = 500  # objects of one page of a list


class _Pauses:
    """Seconds between two tries of kopf's; without an end, for it would end the operator."""

    def __iter__(self) -> Iterator[float]:
        return itertools.chain((0.5, 1.0, 2.0, 5.0), itertools.repeat(10.0))


class _NoDiffs(kopf.DiffBaseStorage):
    """Nobody asks what changed in an object, and kopf would copy each one that a watch tells to find out."""

    def build(self, **_: Any) -> kopf.BodyEssence:
        """What of an object is compared with what it was: nothing."""
        return kopf.BodyEssence()

    def fetch(self, **_: Any) -> kopf.BodyEssence | None:
        """What it was: not kept."""
        return None

    def store(self, **_: Any) -> None:
        """Keep nothing."""


def settings(pod_name: str) -> kopf.OperatorSettings:
    """Settings of kopf: watches that cannot fall silent, one operator, no Events of its own."""
    made = kopf.OperatorSettings()
    made.peering.standalone = True
    made.scanning.disabled = True  # needs no right to list namespaces and definitions
    made.persistence.diffbase_storage = _NoDiffs()
    made.posting.enabled = False
    made.posting.reporting_component = labels.MANAGER
    made.posting.reporting_instance = pod_name
    made.watching.server_timeout = _SERVER_TIMEOUT_S
    made.watching.client_timeout = _CLIENT_TIMEOUT_S
    made.watching.connect_timeout = _CONNECT_TIMEOUT_S
    made.watching.chunk_size = _CHUNK
    for group, plural in (("v1", "pods"), ("apps/v1", "deployments")):
        made.watching.label_selectors[group, plural] = f"{labels.MANAGED}=true"
    made.networking.request_timeout = _REQUEST_TIMEOUT_S
    made.networking.connect_timeout = _CONNECT_TIMEOUT_S
    made.networking.enforce_retry_after = True
    made.networking.error_backoffs = _Pauses()
    return made


def registry(seen: Seen, fleets: Fleets) -> kopf.OperatorRegistry:
    """The handlers of one operator."""
    made = kopf.OperatorRegistry()

    @kopf.on.login(registry=made)
    async def login(**told: Any) -> kopf.ConnectionInfo | None:
        return kopf.login_with_service_account(**told) or kopf.login_with_kubeconfig(**told)

    @kopf.on.cleanup(registry=made)
    async def ends(**_: Any) -> None:
        await fleets.close()  # kopf would let the loops go on for 5 s

    @kopf.on.event("v1", "pods", registry=made)
    async def pod_seen(event: Any, **_: Any) -> None:
        seen.event(api.POD, event["type"], dict(event["object"]))

    @kopf.on.event("apps", "v1", "deployments", registry=made)
    async def deployment_seen(event: Any, **_: Any) -> None:
        seen.event(api.DEPLOYMENT, event["type"], dict(event["object"]))

    @kopf.on.event(GROUP, VERSION, "engineprofiles", registry=made)
    async def profile_seen(event: Any, **_: Any) -> None:
        fleets.profile_seen(event["type"], dict(event["object"]))

    @kopf.on.event(GROUP, VERSION, "disaggregatedllms", registry=made)
    async def fleet_seen(event: Any, **_: Any) -> None:
        fleets.fleet_seen(event["type"], dict(event["object"]))

    return made
