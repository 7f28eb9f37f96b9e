"""What is amiss with a fleet's pods and Deployments, each trouble once. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tandem.cluster.kubernetes.labels import COMPONENT, GATEWAY
from tandem.cluster.kubernetes.trouble import Trouble as PodTrouble
from tandem.cluster.kubernetes.trouble import trouble
from tandem.controller.reasons import Reason, Trouble, of_pod

Body = Mapping[str, Any]


def troubles(
    pods: Sequence[Body], deployments: Sequence[Body], *, memory: str, now_s: float
) -> tuple[Trouble, ...]:
    """All that a person should know, `memory` being what is wrong with the planner's."""
    found = [*_of_pods(pods, now_s), *_of_deployments(deployments), *_of_gateway(deployments)]
    if memory:
        found.append(Trouble(Reason.MEMORY_REBUILT, memory))
    return tuple(dict.fromkeys(found))


def _of_pods(pods: Sequence[Body], now_s: float) -> Iterator[Trouble]:
    for body in pods:
        found = trouble(body, now_s)
        if found is not None:
            yield of_pod(body["metadata"]["name"], found)


def _of_gateway(deployments: Sequence[Body]) -> Iterator[Trouble]:
    """Engines without a gateway serve nobody."""
    for body in deployments:
        is_gateway = body["metadata"]["labels"].get(COMPONENT) == GATEWAY
        if is_gateway and not body.get("status", {}).get("readyReplicas"):
            yield Trouble(Reason.NO_GATEWAY, f"{body['metadata']['name']} has no Ready pod")


def _of_deployments(deployments: Sequence[Body]) -> Iterator[Trouble]:
    """A quota or an admission rule keeps pods from being made: only the Deployment says so."""
    for body in deployments:
        for condition in body.get("status", {}).get("conditions") or ():
            if condition["type"] == "ReplicaFailure" and condition["status"] == "True":
                found = PodTrouble("ReplicaFailure", condition.get("message", ""))
                yield of_pod(body["metadata"]["name"], found)
