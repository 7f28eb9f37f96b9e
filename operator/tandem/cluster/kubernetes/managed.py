"""Who owns `spec.replicas` of a Deployment: read from its managedFields."""

from collections.abc import Mapping
from typing import Any

from tandem.cluster.kubernetes.labels import MANAGER, SCALE_MANAGER

OURS = frozenset({MANAGER, SCALE_MANAGER})


def replicas(deployment: Mapping[str, Any]) -> int:
    """Replicas that a Deployment asks for."""
    return int(deployment.get("spec", {}).get("replicas", 1))


def replica_owners(deployment: Mapping[str, Any]) -> set[str]:
    """Names of the field managers that own `spec.replicas`.

    Who changes the value takes the field from all others: none of our names means that the value
    is someone else's.
    """
    return {
        entry.get("manager", "")
        for entry in deployment["metadata"].get("managedFields") or ()
        if "f:replicas" in entry.get("fieldsV1", {}).get("f:spec", {})
    }


def is_ours(deployment: Mapping[str, Any]) -> bool:
    """Whether the replicas it asks for are what we wrote last."""
    return bool(replica_owners(deployment) & OURS)
