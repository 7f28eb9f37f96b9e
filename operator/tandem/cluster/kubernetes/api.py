"""The API server on plain dicts: server-side apply, merge patches, /scale, and typed errors.

What the server puts off (429) or could not do (5xx, no answer) is tried again for a few seconds.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Self

from tandem.cluster.kubernetes.api_error import (
    ApiError,
    Conflict,
    Forbidden,
    Unreachable,
    api_error,
)
from tandem.cluster.kubernetes.connection import Connection
from tandem.cluster.kubernetes.kinds import (
    AUTOSCALER,
    CONFIG_MAP,
    DEPLOYMENT,
    ENGINE_PROFILE,
    EVENT,
    FLEET,
    NAMESPACE,
    NODE,
    POD,
    POD_DISRUPTION_BUDGET,
    ROLE,
    ROLE_BINDING,
    SERVICE,
    SERVICE_ACCOUNT,
    Kind,
    kind_of,
)
from tandem.cluster.kubernetes.labels import MANAGER, SCALE_MANAGER
from tandem.cluster.kubernetes.request import APPLY_PATCH, MERGE_PATCH, Answer, Request, Transport

__all__ = [
    "AUTOSCALER",
    "CONFIG_MAP",
    "DEPLOYMENT",
    "ENGINE_PROFILE",
    "EVENT",
    "FLEET",
    "NAMESPACE",
    "NODE",
    "POD",
    "POD_DISRUPTION_BUDGET",
    "ROLE",
    "ROLE_BINDING",
    "SERVICE",
    "SERVICE_ACCOUNT",
    "ApiError",
    "Conflict",
    "Forbidden",
    "Kind",
    "KubernetesApi",
    "Unreachable",
    "kind_of",
]

_BUDGET_S = 10.0  # for a request and its retries
_MOST_AT_ONCE = 32  # requests; a server that gets hundreds of writes at once gets slow for all
_PAUSES_S = (0.2, 0.5, 1.0, 2.0)
_AGAIN = frozenset({429, 500, 502, 503, 504})


class KubernetesApi:
    """What Tandem asks of an API server; every answer is a plain dict."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._room = asyncio.Semaphore(_MOST_AT_ONCE)
        self.requests: Counter[tuple[str, int]] = Counter()  # (verb, status); 0: no answer

    @classmethod
    async def connect(cls) -> Self:
        """The API server of the cluster that this process runs in, or that the kubeconfig names."""
        return cls(await Connection.open())

    async def close(self) -> None:
        """Let go of connections."""
        await self._transport.close()

    async def apply(self, body: Mapping[str, Any], manager: str = MANAGER) -> dict[str, Any]:
        """Server-side apply by force: `body` is all that `manager` wants to be so."""
        return await self._apply(body, manager, "")

    async def try_apply(self, body: Mapping[str, Any]) -> None:
        """Ask whether an apply would be granted; nothing is written.

        Raises:
            ApiError: it would not, and why.

        """
        await self._apply(body, MANAGER, "", {"dryRun": "All"})

    async def apply_status(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Server-side apply of `status`, on its subresource."""
        return await self._apply(body, MANAGER, "status")

    async def get(self, kind: Kind, namespace: str, name: str) -> dict[str, Any] | None:
        """An object; None where it is not there."""
        try:
            return await self._ask("GET", kind, namespace, name)
        except ApiError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return None
            raise

    async def list(
        self, kind: Kind, namespace: str | None = None, selector: str = ""
    ) -> list[dict[str, Any]]:
        """Objects of one namespace or of all, by label selector; apiVersion and kind are filled in."""
        query = {"labelSelector": selector} if selector else {}
        answer = await self._ask("GET", kind, namespace, "", query=query)
        named = {"apiVersion": kind.api_version, "kind": kind.kind}
        return [named | item for item in answer.get("items") or ()]

    async def create(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """A new object; Conflict where it is there already."""
        namespace, _ = _place(body)
        query = {"fieldManager": MANAGER}
        return await self._ask("POST", kind_of(body), namespace, "", query=query, body=body)

    async def merge(
        self, kind: Kind, namespace: str, name: str, patch: Mapping[str, Any]
    ) -> dict[str, Any]:
        """JSON merge patch: None removes a field."""
        query = {"fieldManager": MANAGER}
        return await self._ask(
            "PATCH", kind, namespace, name, query=query, body=patch, content_type=MERGE_PATCH
        )

    async def put_scale(
        self, namespace: str, deployment: str, replicas: int, resource_version: str
    ) -> dict[str, Any]:
        """Ask for replicas; Conflict if the Deployment is no longer at `resource_version`.

        The answer's `metadata.resourceVersion` is the Deployment's.
        """
        body = {
            "apiVersion": "autoscaling/v1",
            "kind": "Scale",
            "metadata": {
                "name": deployment,
                "namespace": namespace,
                "resourceVersion": resource_version,
            },
            "spec": {"replicas": replicas},
        }
        query = {"fieldManager": SCALE_MANAGER}
        return await self._ask(
            "PUT", DEPLOYMENT, namespace, deployment, "scale", query=query, body=body
        )

    async def delete(self, kind: Kind, namespace: str, name: str, uid: str = "") -> None:
        """Delete in the background, only the one of `uid` if given; what is not there is fine."""
        body: dict[str, Any] = {"propagationPolicy": "Background"}
        if uid:
            body["preconditions"] = {"uid": uid}
        try:
            await self._ask("DELETE", kind, namespace, name, body=body)
        except ApiError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise

    async def _apply(
        self,
        body: Mapping[str, Any],
        manager: str,
        subresource: str,
        more: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        namespace, name = _place(body)
        query = {"fieldManager": manager, "force": "true", **(more or {})}
        return await self._ask(
            "PATCH",
            kind_of(body),
            namespace,
            name,
            subresource,
            query=query,
            body=body,
            content_type=APPLY_PATCH,
        )

    async def _ask(
        self,
        method: str,
        kind: Kind,
        namespace: str | None,
        name: str,
        subresource: str = "",
        **rest: Any,
    ) -> dict[str, Any]:
        """The body of a good answer; an ApiError for any other."""
        request = Request(method, kind.path(namespace, name, subresource), **rest)
        answer = await self._patiently(request)
        if 0 < answer.status < HTTPStatus.BAD_REQUEST:
            return answer.body
        place = "/".join(part for part in (namespace, name, subresource) if part)
        raise api_error(f"{method} {kind.kind} {place}", answer.status, answer.body)

    async def _patiently(self, request: Request) -> Answer:
        """The first answer worth having, within the budget of a request."""
        until_s = time.monotonic() + _BUDGET_S
        for pause_s in (*_PAUSES_S, None):
            left_s = until_s - time.monotonic()
            answer, done_maybe = await self._once(request, max(left_s, 0.1))
            again = _again(request, answer, done_maybe=done_maybe)
            if pause_s is None or not again:
                break
            wait_s = max(pause_s, answer.retry_after_s)
            if time.monotonic() + wait_s >= until_s:
                break
            await asyncio.sleep(wait_s)
        return answer

    async def _once(self, request: Request, timeout_s: float) -> tuple[Answer, bool]:
        """An answer, and whether the request may have been done although it says nothing of it."""
        done_maybe = False
        try:
            async with self._room:
                answer = await self._transport.send(request, timeout_s)
        except OSError as error:
            done_maybe = not isinstance(error, ConnectionRefusedError)
            answer = Answer(0, _no_answer(error, timeout_s))
        self.requests[request.method, answer.status] += 1
        return answer, done_maybe


def _again(request: Request, answer: Answer, *, done_maybe: bool) -> bool:
    """Whether to ask again; what creates may not be asked twice unless it surely was not done."""
    if answer.status == HTTPStatus.TOO_MANY_REQUESTS:
        return True
    if request.method == "POST":
        return answer.status == 0 and not done_maybe
    return answer.status == 0 or answer.status in _AGAIN


def _no_answer(error: OSError, timeout_s: float) -> dict[str, str]:
    if isinstance(error, TimeoutError):
        return {
            "reason": "Timeout",
            "message": f"the API server said nothing for {timeout_s:.0f} s",
        }
    return {"reason": "Unreachable", "message": str(error) or type(error).__name__}


def _place(body: Mapping[str, Any]) -> tuple[str | None, str]:
    metadata = body["metadata"]
    return metadata.get("namespace"), metadata.get("name", "")
