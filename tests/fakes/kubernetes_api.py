"""An API server in memory, behind the transport of `KubernetesApi`.

It has resourceVersions, 409 for stale writes, server-side apply with owners of fields, /scale and
/status, label selectors, and deletion of what a deleted object owned. No admission, no controllers.
"""

import asyncio
import copy
import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.api_faults import Faults
from tests.fakes.field_owners import FieldOwners, merged

from tandem.cluster.kubernetes.api import DEPLOYMENT, POD, Kind, KubernetesApi
from tandem.cluster.kubernetes.kinds import KINDS
from tandem.cluster.kubernetes.request import APPLY_PATCH, Answer, Request
from tandem.cluster.kubernetes.seen import Seen

Key = tuple[Kind, str, str]  # kind, namespace, name
Event = Callable[[Kind, str, dict[str, Any]], None]
_PLURALS = {kind.path(): kind for kind in KINDS}


class _StatusError(Exception):
    def __init__(self, status: int, reason: str, message: str) -> None:
        self.answer = Answer(status, {"kind": "Status", "reason": reason, "message": message})
        super().__init__(message)


@dataclass
class FakeApiServer(Faults):
    """Objects by kind, namespace and name; `requests` notes all that came by `send`."""

    objects: dict[Key, dict[str, Any]] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    listeners: list[Event] = field(default_factory=list)
    slow_s: float = 0.0
    _owners: dict[Key, FieldOwners] = field(default_factory=dict)
    _versions: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    # -- for tests --------------------------------------------------------------------------------

    def api(self) -> KubernetesApi:
        """A client of this server."""
        return KubernetesApi(self)

    def feed(self, seen: Seen) -> None:
        """Let `seen` watch pods and Deployments from now on."""
        kinds = (POD, DEPLOYMENT)
        self.listeners.append(
            lambda kind, type_, body: seen.event(kind, type_, body) if kind in kinds else None
        )

    def put(self, body: Mapping[str, Any], manager: str = "test") -> dict[str, Any]:
        """Make an object as if it had been there."""
        kind = next(
            k for k in KINDS if (k.api_version, k.kind) == (body["apiVersion"], body["kind"])
        )
        return self._create(kind, body["metadata"].get("namespace", ""), body, manager)

    def edit(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        patch: Mapping[str, Any],
        manager: str = "kubectl",
    ) -> dict[str, Any]:
        """A merge patch by somebody else."""
        key = kind, namespace, name
        return self._update(key, merged(self._found(key), patch), manager, "")

    def scale_by_hand(self, namespace: str, name: str, replicas: int) -> None:
        """Somebody's `kubectl scale`."""
        key = DEPLOYMENT, namespace, name
        self._update(key, merged(self._found(key), _replicas(replicas)), "kubectl", "scale")

    def remove(self, kind: Kind, namespace: str, name: str) -> None:
        """Let an object go, and what it owns."""
        body = self.objects.pop((kind, namespace, name))
        self._owners.pop((kind, namespace, name), None)
        self._tell(kind, "DELETED", body)
        for (of, place, other), child in list(self.objects.items()):
            owners = child["metadata"].get("ownerReferences", ())
            if any(owner["uid"] == body["metadata"]["uid"] for owner in owners):
                self.remove(of, place, other)

    def writes(self) -> list[tuple[str, str]]:
        """Method and path of all that was sent but reads and dry runs."""
        sent = (each for each in self.requests if "dryRun" not in each.query)
        return [(each.method, each.path) for each in sent if each.method != "GET"]

    # -- the transport ----------------------------------------------------------------------------

    async def send(self, request: Request, timeout_s: float) -> Answer:
        """The answer of this server."""
        self.requests.append(request)
        await asyncio.sleep(min(self.slow_s, timeout_s))
        if self.slow_s >= timeout_s:
            raise TimeoutError
        fault = self.next_fault(request)
        if fault is None:
            return self._answer(request)
        fault.act()
        done = self._answer(request) if fault.done else None
        return done if done is not None and fault.status < 0 else fault.answer()

    async def close(self) -> None:
        """Nothing to let go of."""

    # -- requests ---------------------------------------------------------------------------------

    def _answer(self, request: Request) -> Answer:
        kind, namespace, name, subresource = _parsed(request.path)
        try:
            body = self._handle(request, (kind, namespace, name), subresource)
        except _StatusError as error:
            return error.answer
        return Answer(201 if request.method == "POST" else 200, copy.deepcopy(body))

    def _handle(self, request: Request, key: Key, subresource: str) -> dict[str, Any]:
        selector = request.query.get("labelSelector", "")
        if request.method == "GET":
            return self._found(key) if key[2] else self._list(key[0], key[1], selector)
        return self._write(request, key, subresource)

    def _write(self, request: Request, key: Key, subresource: str) -> dict[str, Any]:
        if "dryRun" in request.query:
            return dict(request.body)
        manager = request.query.get("fieldManager", "unknown")
        match request.method:
            case "POST":
                return self._create(key[0], key[1], request.body, manager)
            case "PATCH" if request.content_type == APPLY_PATCH:
                return self._apply(key, request.body, manager, subresource)
            case "PATCH":
                after = merged(self._found(key), request.body)
                return self._update(key, after, manager, subresource)
            case "PUT" if subresource == "scale":
                return self._put_scale(key, request.body, manager)
            case "DELETE":
                return self._delete(key, request.body or {})
        raise _StatusError(405, "MethodNotAllowed", f"{request.method} {request.path}")

    def _list(self, kind: Kind, namespace: str, selector: str) -> dict[str, Any]:
        wanted = dict(part.split("=") for part in selector.split(",") if part)
        items = [
            {name: value for name, value in body.items() if name not in {"apiVersion", "kind"}}
            for (of, place, _), body in self.objects.items()
            if of == kind and namespace in {"", place} and _has(body, wanted)
        ]
        return {"kind": f"{kind.kind}List", "items": items}

    def _found(self, key: Key) -> dict[str, Any]:
        if key not in self.objects:
            raise _StatusError(404, "NotFound", f'{key[0].plural} "{key[2]}" not found')
        return self.objects[key]

    def _create(
        self, kind: Kind, namespace: str, body: Mapping[str, Any], manager: str
    ) -> dict[str, Any]:
        metadata = body["metadata"]
        version = next(self._versions)
        name = metadata.get("name") or f"{metadata['generateName']}{version}"
        key = kind, namespace, name
        if key in self.objects:
            raise _StatusError(409, "AlreadyExists", f'{kind.plural} "{name}" already exists')
        named = merged(body, {"metadata": {"name": name, "namespace": namespace or None}})
        owners = self._owners[key] = FieldOwners()
        owners.update((manager, "Update", ""), {}, named)
        return self._keep(key, named, version)

    def _apply(
        self, key: Key, body: Mapping[str, Any], manager: str, subresource: str
    ) -> dict[str, Any]:
        if subresource:
            self._found(key)
        before = self.objects.get(key, {})
        owners = self._owners.setdefault(key, FieldOwners())
        own = {"status": body["status"]} if subresource == "status" else body
        after = owners.apply((manager, "Apply", subresource), before, own)
        if not before:
            named = {name: body[name] for name in ("apiVersion", "kind")}
            names = {name: key[at] for at, name in ((1, "namespace"), (2, "name")) if key[at]}
            after = merged(after, {**named, "metadata": names})
        return self._keep(key, after)

    def _update(
        self, key: Key, after: dict[str, Any], manager: str, subresource: str
    ) -> dict[str, Any]:
        self._owners[key].update((manager, "Update", subresource), self._found(key), after)
        return self._keep(key, after)

    def _put_scale(self, key: Key, body: Mapping[str, Any], manager: str) -> dict[str, Any]:
        before = self._found(key)["metadata"]["resourceVersion"]
        if body["metadata"].get("resourceVersion", before) != before:
            modified = (
                "the object has been modified; please apply your changes to the latest version"
            )
            raise _StatusError(409, "Conflict", f'{key[0].plural} "{key[2]}": {modified}')
        replicas = body["spec"]["replicas"]
        after = merged(self._found(key), _replicas(replicas))
        kept = self._update(key, after, manager, "scale")["metadata"]
        metadata = {name: kept[name] for name in ("name", "namespace", "uid", "resourceVersion")}
        return {"kind": "Scale", "metadata": metadata, "spec": {"replicas": replicas}}

    def _delete(self, key: Key, options: Mapping[str, Any]) -> dict[str, Any]:
        uid = self._found(key)["metadata"]["uid"]
        if options.get("preconditions", {}).get("uid", uid) != uid:
            raise _StatusError(409, "Conflict", "the UID in the precondition does not match")
        self.remove(*key)
        return {"kind": "Status", "status": "Success"}

    # -- what is kept -----------------------------------------------------------------------------

    def _keep(self, key: Key, after: dict[str, Any], version: int = 0) -> dict[str, Any]:
        """Store a version and tell those who watch; one that changes nothing is no version."""
        before = self.objects.get(key)
        if key[0] == DEPLOYMENT:
            after = merged(after, _replicas(after.get("spec", {}).get("replicas", 1)))
        after = merged(after, {"metadata": {"managedFields": self._owners[key].managed_fields()}})
        if after == before:
            return before
        version = version or next(self._versions)
        stamps = {
            "resourceVersion": str(version),
            "uid": before["metadata"]["uid"] if before else f"uid-{version}",
            "creationTimestamp": after["metadata"].get("creationTimestamp", "2026-01-01T00:00:00Z"),
        }
        kept = self.objects[key] = merged(after, {"metadata": stamps})
        self._tell(key[0], "MODIFIED" if before else "ADDED", kept)
        return kept

    def _tell(self, kind: Kind, type_: str, body: dict[str, Any]) -> None:
        for listener in self.listeners:
            listener(kind, type_, copy.deepcopy(body))


def _parsed(path: str) -> tuple[Kind, str, str, str]:
    """Kind, namespace, name and subresource of a path."""
    parts = path.split("/")
    group = parts[:3] if parts[1] == "api" else parts[:4]
    rest = parts[len(group) :]
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 2:
        namespace, rest = rest[1], rest[2:]
    kind = _PLURALS["/".join([*group, rest[0]])]
    return kind, namespace, *(*rest[1:], "", "")[:2]  # type: ignore[return-value]


def _has(body: Mapping[str, Any], wanted: Mapping[str, str]) -> bool:
    labels = body["metadata"].get("labels", {})
    return all(labels.get(name) == value for name, value in wanted.items())


def _replicas(count: int) -> dict[str, Any]:
    return {"spec": {"replicas": count}}
