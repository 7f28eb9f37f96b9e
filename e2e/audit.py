"""What pods asked of the API server, from the box's audit log."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from e2e.cluster.control_plane import AUDIT_LOG

_REFUSED = "forbid"  # by RBAC; a namespace that is on its way out refuses what RBAC allows
_CREATED = 201


@dataclass(frozen=True)
class Calls:
    """The calls of one service account since a place in the log."""

    namespace: str
    account: str
    since_bytes: int

    @classmethod
    def of(cls, namespace: str, account: str) -> "Calls":
        """Its calls from now on."""
        return cls(namespace, account, AUDIT_LOG.stat().st_size)

    def refused(self) -> list[str]:
        """Calls that the account had no right to make."""
        return [entry["requestURI"] for entry in self._entries() if _decision(entry) == _REFUSED]

    def used(self) -> set[tuple[str, str, str]]:
        """Group, resource and verb of each right that it made use of."""
        return {use for entry in self._entries() for use in _uses(entry)}

    def _entries(self) -> Iterator[Mapping[str, Any]]:
        user = f"system:serviceaccount:{self.namespace}:{self.account}"
        with AUDIT_LOG.open("rb") as log:
            log.seek(self.since_bytes)
            for line in log:
                if line.endswith(b"\n") and (entry := json.loads(line))["user"]["username"] == user:
                    yield entry


def _decision(entry: Mapping[str, Any]) -> str:
    return str(entry.get("annotations", {}).get("authorization.k8s.io/decision", ""))


def _uses(entry: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """An apply that makes an object needs the right to create it besides."""
    target = entry.get("objectRef", {})
    parts = (target.get("resource", ""), target.get("subresource", ""))
    resource = "/".join(part for part in parts if part)
    yield target.get("apiGroup", ""), resource, entry["verb"]
    if entry["verb"] == "patch" and entry.get("responseStatus", {}).get("code") == _CREATED:
        yield target.get("apiGroup", ""), resource, "create"
