from typing import Any

import pytest
from tests.cluster.kubernetes import bodies

from tandem.api.role import Role
from tandem.cluster.kubernetes.pods import is_engine, is_gone, pod, trouble
from tandem.cluster.pod import PodPhase

CREATED_S, READY_S = 1795168800.0, 1795168860.0  # 2026-11-20, 10:00 and 10:01


def waiting(reason: str, message: str = "", **more: Any) -> dict[str, Any]:
    """A pod whose container waits."""
    state = {"waiting": {"reason": reason, "message": message}}
    status = bodies.container(state=state, **more)
    return bodies.pod("p", ready=False, containerStatuses=[status])


def ended(exit_code: int, reason: str = "Error", message: str = "") -> dict[str, Any]:
    return {"terminated": {"exitCode": exit_code, "reason": reason, "message": message}}


def unscheduled(reason: str, message: str) -> dict[str, Any]:
    condition = {"type": "PodScheduled", "status": "False", "reason": reason, "message": message}
    return bodies.pod("p", ready=False, conditions=[condition], containerStatuses=[])


def test_a_ready_pod_is_told_whole() -> None:
    seen = pod(bodies.pod("chat-1", Role.PREFILL, revision="bbbb0002"))
    assert (seen.name, seen.role, seen.phase) == ("chat-1", Role.PREFILL, PodPhase.READY)
    assert (seen.url, seen.revision) == ("http://10.88.0.7:8000", "bbbb0002")
    assert (seen.asked_s, seen.ready_s) == (CREATED_S, READY_S)
    assert (seen.restarts, seen.message) == (0, "")


def test_a_pod_that_is_deleted_drains_whatever_else_it_says() -> None:
    body = bodies.pod("p")
    body["metadata"]["deletionTimestamp"] = "2026-11-20T11:00:00Z"
    seen = pod(body)
    assert (seen.phase, seen.ready_s) == (PodPhase.DRAINING, None)


def test_a_pod_without_a_status_is_starting_and_has_no_address() -> None:
    body = bodies.pod("p")
    body["status"] = {}
    seen = pod(body)
    assert (seen.phase, seen.url, seen.ready_s, seen.message) == (PodPhase.STARTING, "", None, "")


def test_an_address_of_version_6_is_put_in_brackets() -> None:
    assert pod(bodies.pod("p", podIP="fd00::7")).url == "http://[fd00::7]:8000"


def test_a_pod_that_is_pushed_out_says_by_whom() -> None:
    body = bodies.pod("p", ready=False)
    body["metadata"]["deletionTimestamp"] = "2026-11-20T11:00:00Z"
    body["status"]["conditions"].append(
        {
            "type": "DisruptionTarget",
            "status": "True",
            "reason": "PreemptionByScheduler",
            "message": "default-scheduler: preempting",
        }
    )
    assert pod(body).message == "PreemptionByScheduler: default-scheduler: preempting"


def test_a_pod_that_died_and_serves_again_says_how_it_died() -> None:
    status = bodies.container(ready=True, restartCount=2, lastState=ended(139, message="segfault"))
    seen = pod(bodies.pod("p", containerStatuses=[status]))
    assert (seen.phase, seen.restarts) == (PodPhase.READY, 2)
    assert seen.message == "container engine ended 2 times, last with exit code 139: segfault"


@pytest.mark.parametrize(
    ("body", "reason", "message"),
    [
        (
            unscheduled(
                "Unschedulable", "0/3 nodes are available:\n3 Insufficient nvidia.com/gpu."
            ),
            "Unschedulable",
            "no node takes the pod: 0/3 nodes are available: 3 Insufficient nvidia.com/gpu.",
        ),
        (
            unscheduled("SchedulingGated", ""),
            "SchedulingGated",
            "no node takes the pod: SchedulingGated",
        ),
        (
            waiting("ErrImagePull", "manifest unknown"),
            "ImagePullBackOff",
            "image engine:1 can't be had: manifest unknown",
        ),
        (
            waiting("ImagePullBackOff", "Back-off pulling image"),
            "ImagePullBackOff",
            "image engine:1 can't be had: Back-off pulling image",
        ),
        (
            waiting("ErrImageNeverPull", "not present with pull policy of Never"),
            "ErrImageNeverPull",
            "image engine:1 can't be had: not present with pull policy of Never",
        ),
        (
            waiting("CreateContainerError", "no such device"),
            "CreateContainerError",
            "container engine can't be started: no such device",
        ),
        (
            waiting("CreateContainerConfigError"),
            "CreateContainerConfigError",
            "container engine can't be started: the kubelet gave no message",
        ),
        (
            waiting("CrashLoopBackOff", "back-off", restartCount=5, lastState=ended(1)),
            "CrashLoopBackOff",
            "container engine ended 5 times, last with exit code 1",
        ),
        (
            waiting("CrashLoopBackOff", "back-off 10s"),
            "CrashLoopBackOff",
            "container engine can't be started: back-off 10s",
        ),
        (
            waiting("CrashLoopBackOff", "", restartCount=1, lastState=ended(137, "OOMKilled")),
            "OOMKilled",
            "container engine ended with exit code 137 (OOMKilled): it needs more memory than its limit",
        ),
        (
            bodies.pod("p", ready=False, containerStatuses=[bodies.container(state=ended(2))]),
            "CrashLoopBackOff",
            "container engine ended with exit code 2",
        ),
        (
            bodies.pod(
                "p",
                ready=False,
                containerStatuses=[bodies.container(restartCount=3, lastState=ended(1))],
            ),
            "CrashLoopBackOff",
            "container engine ended 3 times, last with exit code 1",
        ),
        (
            bodies.pod(
                "p",
                ready=False,
                initContainerStatuses=[bodies.container(name="fetch", state=ended(4))],
                containerStatuses=[
                    bodies.container(state={"waiting": {"reason": "PodInitializing"}})
                ],
            ),
            "CrashLoopBackOff",
            "container fetch ended with exit code 4",
        ),
    ],
)
def test_what_keeps_a_pod_from_serving_is_told(
    body: dict[str, Any], reason: str, message: str
) -> None:
    found = trouble(body)
    assert found is not None
    assert (found.reason, found.message) == (reason, message)
    assert pod(body).message == f"{reason}: {message}"


@pytest.mark.parametrize(
    "body",
    [
        bodies.pod("p"),
        bodies.pod("p", ready=False),
        waiting("ContainerCreating"),
        bodies.pod(
            "p", ready=False, initContainerStatuses=[bodies.container(state=ended(0, "Completed"))]
        ),
    ],
)
def test_a_pod_that_serves_or_only_starts_is_in_no_trouble(body: dict[str, Any]) -> None:
    assert trouble(body, now_s=CREATED_S + 30) is None


def test_a_start_that_takes_too_long_is_told() -> None:
    body = bodies.pod("p", ready=False)
    assert trouble(body, now_s=CREATED_S + 599) is None
    found = trouble(body, now_s=CREATED_S + 601)
    assert found is not None
    assert (found.reason, found.message) == ("NotReady", "it started, but is not ready for 601 s")


def test_containers_that_are_not_made_for_long_are_told() -> None:
    found = trouble(waiting("ContainerCreating"), now_s=CREATED_S + 700)
    assert found is not None
    assert found.message == "containers are being made for 700 s"


def test_a_pod_that_lost_its_readiness_is_told_soon_and_not_by_an_old_death() -> None:
    status = bodies.container(restartCount=1, lastState=ended(1))
    body = bodies.pod("p", ready=False, containerStatuses=[status])
    body["status"]["conditions"][1]["lastTransitionTime"] = "2026-11-20T10:01:00Z"
    assert trouble(body, now_s=READY_S + 59) is None
    found = trouble(body, now_s=READY_S + 61)
    assert found is not None
    assert (found.reason, found.message) == ("NotReady", "its readiness probe fails for 61 s")


def test_a_gateway_is_no_engine_and_an_evicted_pod_is_gone() -> None:
    gateway = bodies.pod("p")
    del gateway["metadata"]["labels"]["tandem.dev/role"]
    assert (is_engine(gateway), is_engine(bodies.pod("p"))) == (False, True)
    assert (is_gone(bodies.pod("p", phase="Failed")), is_gone(bodies.pod("p"))) == (True, False)
