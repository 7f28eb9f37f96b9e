"""The images as pods of the cluster in a box: nobody's user, nothing written, no privilege."""

import json
import time
from collections.abc import Iterator

import pytest
from e2e.cluster import images
from e2e.cluster.box import Box
from e2e.cluster.places import BoxError

pytestmark = pytest.mark.e2e

NAMESPACE = "images"
LOCKED_DOWN = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}
EMULATOR = ["--profile=h200-llama-3.1-8b-tp1", "--cold-start=1s", "--host=0.0.0.0", "--port=8000"]
ADDRESS = {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}
HEALTH = {"httpGet": {"path": "/health", "port": 8000}, "periodSeconds": 1}
READY_S = 60


@pytest.fixture(scope="module")
def cluster(box: Box) -> Iterator[Box]:
    box.kubectl("create", "namespace", NAMESPACE)
    yield box
    box.kubectl("delete", "namespace", NAMESPACE, "--wait=false")


def _start(cluster: Box, name: str, **container: object) -> str:
    """The name of a pod with one container of an image, locked down."""
    pod = f"{name}-{len(container)}"
    spec = {
        "name": "c",
        "image": images.reference(name),
        "imagePullPolicy": "Never",
        "securityContext": LOCKED_DOWN,
        **container,
    }
    body = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": pod, "namespace": NAMESPACE},
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "containers": [spec],
        },
    }
    cluster.kubectl("apply", "-f", "-", stdin=json.dumps(body))
    return pod


def _wait(cluster: Box, pod: str, condition: str) -> None:
    """Until the pod is so; what it logged is the failure's text."""
    try:
        wait = ("wait", f"--for={condition}", f"--timeout={READY_S - 5}s", f"pod/{pod}")
        cluster.kubectl("-n", NAMESPACE, *wait)
    except BoxError as error:
        pytest.fail(f"{error}\n{cluster.kubectl('-n', NAMESPACE, 'logs', pod)}")


@pytest.mark.parametrize("name", images.NAMES)
def test_each_image_starts_its_process_without_a_user_of_its_own_or_a_place_to_write(
    cluster: Box, name: str
) -> None:
    pod = _start(cluster, name, args=["--help"])
    _wait(cluster, pod, "jsonpath={.status.phase}=Succeeded")
    assert cluster.kubectl("-n", NAMESPACE, "logs", pod).startswith("usage: ")


@pytest.mark.full  # every fleet of the other tests runs this image
def test_the_emulator_of_the_image_is_an_engine_that_gets_ready(cluster: Box) -> None:
    arguments = [*EMULATOR, "--side-channel-host=$(POD_IP)"]
    pod = _start(cluster, "emulator", args=arguments, env=[ADDRESS], readinessProbe=HEALTH)
    _wait(cluster, pod, "condition=Ready")


def test_unchanged_sources_build_nothing() -> None:
    before = images.build()
    written_s = [archive.stat().st_mtime for archive in before.values()]
    start_s = time.monotonic()
    assert images.build() == before
    assert [archive.stat().st_mtime for archive in before.values()] == written_s
    assert time.monotonic() - start_s < 2
