"""Who goes first when a Deployment shrinks: pod-deletion-cost on the pods to leave. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tandem.cluster.kubernetes.labels import DELETION_COST

Body = Mapping[str, Any]


def costs(pods: Iterable[Body], drain_first: Sequence[str], leaving: int) -> dict[str, str | None]:
    """The annotations to change, by pod: a cost, or None to remove one.

    The first to go costs least. Kubernetes takes pods that are not Ready before it looks at costs.

    Args:
        pods: those of the Deployment that are not being deleted.
        drain_first: names in the order in which they should go.
        leaving: how many must go.

    """
    there = {body["metadata"]["name"]: _cost(body) for body in pods}
    going = [name for name in drain_first if name in there][: max(0, leaving)]
    wanted = {name: str(place - len(going)) for place, name in enumerate(going)}
    return {name: wanted.get(name) for name, cost in there.items() if cost != wanted.get(name)}


def _cost(body: Body) -> str | None:
    cost = (body["metadata"].get("annotations") or {}).get(DELETION_COST)
    return None if cost is None else str(cost)
