"""A ConfigMap of texts that goes with its fleet."""

from collections.abc import Mapping
from typing import Any

from tandem.cluster.kubernetes.kinds import CONFIG_MAP
from tandem.cluster.kubernetes.labels import of_fleet


def of_the_fleet(
    name: str, namespace: str, fleet: str, owner: Mapping[str, Any], data: Mapping[str, str]
) -> dict[str, Any]:
    """The body of an apply; `owner` is the fleet's owner reference."""
    return {
        "apiVersion": CONFIG_MAP.api_version,
        "kind": CONFIG_MAP.kind,
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": of_fleet(fleet),
            "ownerReferences": [dict(owner)],
        },
        "data": dict(data),
    }
