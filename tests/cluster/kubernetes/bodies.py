"""Pods and Deployments as an API server tells them."""

from typing import Any

from tandem.api.role import Role
from tandem.cluster.kubernetes.labels import ENGINE, of_engine

NAMESPACE, FLEET = "prod", "chat"
OWNER = {
    "apiVersion": "tandem.dev/v1alpha1",
    "kind": "DisaggregatedLLM",
    "name": FLEET,
    "uid": "fleet-uid",
    "controller": True,
    "blockOwnerDeletion": False,
}


def deployment(role: Role = Role.DECODE, revision: str = "aaaa0001") -> dict[str, Any]:
    """A Deployment of engines, without replicas."""
    labels = of_engine(FLEET, role, "h200", revision)
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": f"{FLEET}-{role}-h200-{revision}",
            "namespace": NAMESPACE,
            "labels": labels,
            "ownerReferences": [OWNER],
        },
        "spec": {
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": ENGINE, "image": "engine:1"}]},
            }
        },
    }


def pod(
    name: str,
    role: Role = Role.DECODE,
    *,
    revision: str = "aaaa0001",
    ready: bool = True,
    **status: Any,
) -> dict[str, Any]:
    """An engine pod that runs since 10:00 and is ready, or not, since 10:01."""
    conditions = [
        {"type": "PodScheduled", "status": "True"},
        {
            "type": "Ready",
            "status": "True" if ready else "False",
            "lastTransitionTime": "2026-11-20T10:01:00Z" if ready else "2026-11-20T10:00:00Z",
        },
    ]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": NAMESPACE,
            "labels": of_engine(FLEET, role, "h200", revision),
            "creationTimestamp": "2026-11-20T10:00:00Z",
        },
        "status": {
            "phase": "Running",
            "podIP": "10.88.0.7",
            "conditions": conditions,
            "containerStatuses": [container(ready=ready)],
        }
        | status,
    }


def container(*, ready: bool = False, **fields: Any) -> dict[str, Any]:
    """The status of an engine's container."""
    return {
        "name": ENGINE,
        "image": "engine:1",
        "ready": ready,
        "restartCount": 0,
        "state": {"running": {"startedAt": "2026-11-20T10:00:00Z"}},
    } | fields
