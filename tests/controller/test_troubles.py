"""What is amiss is read from pods and Deployments."""

from typing import Any

from tandem.cluster.kubernetes.labels import COMPONENT, GATEWAY
from tandem.controller.reasons import Reason
from tandem.controller.troubles import troubles


def deployment(component: str = "decode", **status: Any) -> dict[str, Any]:
    labels = {COMPONENT: component}
    return {"metadata": {"name": f"chat-{component}", "labels": labels}, "status": status}


def unschedulable(name: str) -> dict[str, Any]:
    waits = {
        "type": "PodScheduled",
        "status": "False",
        "reason": "Unschedulable",
        "message": "0/1 nodes are available: 1 Insufficient cpu.",
    }
    return {"metadata": {"name": name}, "status": {"phase": "Pending", "conditions": [waits]}}


def test_nothing_is_amiss_where_pods_only_need_time() -> None:
    starting = {"metadata": {"name": "a"}, "status": {"phase": "Pending"}}
    gateway = deployment(GATEWAY, readyReplicas=1)

    assert troubles([starting], [deployment(), gateway], memory="", now_s=0.0) == ()


def test_a_pod_without_a_node_is_told_with_the_scheduler_s_words() -> None:
    (found,) = troubles([unschedulable("decode-x")], [], memory="", now_s=0.0)

    assert found.reason is Reason.UNSCHEDULABLE
    assert "decode-x" in found.message
    assert "Insufficient cpu" in found.message


def test_the_same_trouble_is_told_once() -> None:
    twice = [unschedulable("decode-x"), unschedulable("decode-x")]

    assert len(troubles(twice, [], memory="", now_s=0.0)) == 1


def test_a_quota_that_keeps_pods_from_being_made_is_told_by_the_deployment() -> None:
    failure = {"type": "ReplicaFailure", "status": "True", "message": "exceeded quota: gpus"}
    (found,) = troubles([], [deployment(conditions=[failure])], memory="", now_s=0.0)

    assert found.reason is Reason.PODS_REFUSED
    assert "exceeded quota: gpus" in found.message


def test_a_gateway_without_a_ready_pod_is_told() -> None:
    (found,) = troubles([], [deployment(GATEWAY)], memory="", now_s=0.0)

    assert found.reason is Reason.NO_GATEWAY


def test_a_damaged_memory_is_told() -> None:
    (found,) = troubles([], [], memory="line 1 is no JSON", now_s=0.0)

    assert found.reason is Reason.MEMORY_REBUILT
    assert "line 1 is no JSON" in found.message
