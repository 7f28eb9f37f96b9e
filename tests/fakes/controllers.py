"""What Kubernetes' own controllers do with Deployments: pods as many as asked for, all Ready at once."""

from collections.abc import Mapping
from typing import Any

from tests.fakes.kubernetes_api import FakeApiServer

from tandem.cluster.kubernetes.api import DEPLOYMENT, POD
from tandem.cluster.kubernetes.labels import DELETION_COST

AT = "2026-01-01T00:00:00Z"


def run_controllers(server: FakeApiServer) -> None:
    """Make and remove pods until every Deployment has what it asks for."""
    for (kind, _, _), body in list(server.objects.items()):
        if kind == DEPLOYMENT:
            _fill(server, body)


def pods_of(server: FakeApiServer, deployment: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Pods that a Deployment owns, the one to go first in front."""
    uid = deployment["metadata"]["uid"]
    owned = [
        body
        for (kind, _, _), body in server.objects.items()
        if kind == POD and uid in {one["uid"] for one in body["metadata"]["ownerReferences"]}
    ]
    return sorted(owned, key=lambda body: int(_annotations(body).get(DELETION_COST) or 0))


def _fill(server: FakeApiServer, deployment: Mapping[str, Any]) -> None:
    wanted = deployment["spec"]["replicas"]
    there = pods_of(server, deployment)
    for body in there[: max(0, len(there) - wanted)]:
        server.remove(POD, body["metadata"]["namespace"], body["metadata"]["name"])
    for _ in range(wanted - len(there)):
        server.put(_pod(deployment))
    place = DEPLOYMENT, deployment["metadata"]["namespace"], deployment["metadata"]["name"]
    server.edit(*place, {"status": {"readyReplicas": wanted}}, manager="kube-controller-manager")


def _pod(deployment: Mapping[str, Any]) -> dict[str, Any]:
    own = deployment["metadata"]
    template = deployment["spec"]["template"]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "generateName": f"{own['name']}-",
            "namespace": own["namespace"],
            "labels": template["metadata"]["labels"],
            "ownerReferences": [{"kind": "Deployment", "name": own["name"], "uid": own["uid"]}],
        },
        "spec": template["spec"],
        "status": {
            "phase": "Running",
            "podIP": "10.0.0.1",
            "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": AT}],
        },
    }


def _annotations(body: Mapping[str, Any]) -> Mapping[str, Any]:
    return body["metadata"].get("annotations") or {}
