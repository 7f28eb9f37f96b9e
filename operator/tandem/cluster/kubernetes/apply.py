"""Children that are applied only when that would change something, and the replicas of a Deployment.

`spec.replicas` belongs to the field manager `tandem-scale`. A manager that no longer names a field
which only it owns resets it, so a Deployment is made in three steps, each safe to be the last:

1. `tandem` creates it with its replicas.
2. `tandem-scale` applies the replicas alone, and owns them too.
3. `tandem` applies all but the replicas from then on.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from tandem.cluster.kubernetes import managed
from tandem.cluster.kubernetes.api import DEPLOYMENT, KubernetesApi
from tandem.cluster.kubernetes.labels import GROUP, MANAGER, SCALE_MANAGER

APPLIED = f"{GROUP}/applied"  # annotation: hash of what was applied last

Body = Mapping[str, Any]


async def apply_child(api: KubernetesApi, body: Body, found: Body | None) -> Body:
    """Make a child as `body` says, unless `found`, as it was seen last, is so already."""
    body = _marked(body)
    if found is not None and _covers(found, body):
        return found
    return await api.apply(body)


async def apply_deployment(
    api: KubernetesApi, body: Body, replicas: int, found: Body | None = None
) -> Body:
    """Make a Deployment as `body` says, with `replicas` only if it is not there yet.

    Args:
        api: the API server.
        body: the Deployment without `spec.replicas`.
        replicas: of a new one.
        found: as it was seen last. One that is not known to be ours to scale is read again.

    """
    if found is None or SCALE_MANAGER not in managed.replica_owners(found):
        metadata = body["metadata"]
        found = await api.get(DEPLOYMENT, metadata["namespace"], metadata["name"])
    if found is None:
        spec = {**body["spec"], "replicas": replicas}
        return await _own_replicas(api, await api.apply(_marked({**body, "spec": spec}, body)))
    if managed.replica_owners(found) == {MANAGER}:
        found = await _own_replicas(api, found)
    return await apply_child(api, body, found)


async def _own_replicas(api: KubernetesApi, found: Body) -> Body:
    """Let `tandem-scale` own the replicas that are there."""
    metadata = {name: found["metadata"][name] for name in ("name", "namespace")}
    named = {"apiVersion": DEPLOYMENT.api_version, "kind": DEPLOYMENT.kind, "metadata": metadata}
    return await api.apply(
        {**named, "spec": {"replicas": managed.replicas(found)}}, manager=SCALE_MANAGER
    )


def _marked(body: Body, hashed: Body | None = None) -> Body:
    """The body with the hash of it, or of `hashed`, in its annotations."""
    text = json.dumps(body if hashed is None else hashed, sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    annotations = {**(body["metadata"].get("annotations") or {}), APPLIED: digest}
    return {**body, "metadata": {**body["metadata"], "annotations": annotations}}


def _covers(found: Any, wanted: Any) -> bool:
    """Whether all that is wanted stands in what was found; what the server filled in may be more."""
    if isinstance(wanted, Mapping):
        return isinstance(found, Mapping) and all(
            name in found and _covers(found[name], value) for name, value in wanted.items()
        )
    if isinstance(wanted, list | tuple):
        return (
            isinstance(found, list | tuple)
            and len(found) == len(wanted)
            and all(map(_covers, found, wanted))
        )
    return bool(found == wanted)
