"""Nodes and pods without containers, by the thousand: kwok plays their kubelets."""

import json

from e2e.cluster import pki
from e2e.cluster.access import Box
from e2e.cluster.daemons import Daemon
from e2e.cluster.programs import KWOK

ANNOTATION = "kwok.x-k8s.io/node"
"""Nodes that carry it are fake; kwok leaves all others alone."""
TAINT_KEY = "kwok.x-k8s.io/node"
TAINT = {"key": TAINT_KEY, "value": "fake", "effect": "NoSchedule"}
STAGES = (
    "node/fast/node-initialize.yaml",
    "node/heartbeat-with-lease/node-heartbeat-with-lease.yaml",
    "pod/fast/pod-ready.yaml",
    "pod/fast/pod-complete.yaml",
    "pod/fast/pod-delete.yaml",
)
HEALTH = "127.0.0.1:10247"


def start_kwok(box: Box) -> None:
    """Start the process that plays the fake nodes' kubelets, unless it runs."""
    stages = [f"--config={KWOK.built / 'stages' / stage}" for stage in STAGES]
    command = [
        f"{box.programs['kwok']}",
        f"--kubeconfig={pki.KWOK.kubeconfig}",
        f"--manage-nodes-with-annotation-selector={ANNOTATION}=fake",
        f"--server-address={HEALTH}",
        "--cidr=10.89.0.1/16",
        "--node-lease-duration-seconds=40",
        *stages,
    ]
    daemon = Daemon("kwok", command)
    if not daemon.alive():
        daemon.start()


def add_fake_nodes(
    box: Box, count: int, cpu: int, gpus: int, *, tainted: bool = True, wait: bool = True
) -> list[str]:
    """Add nodes of some CPUs and GPUs each, and wait until they are ready.

    Tainted, only pods that tolerate `kwok.x-k8s.io/node=fake:NoSchedule` are placed on them.
    """
    names = [f"fake-{number}" for number in range(count)]
    nodes = [_node(name, cpu, gpus, tainted=tainted) for name in names]
    listed = {"apiVersion": "v1", "kind": "List", "items": nodes}
    box.kubectl("apply", "-f", "-", stdin=json.dumps(listed))
    if wait and names:
        targets = [f"node/{name}" for name in names]
        box.kubectl("wait", "--for=condition=Ready", "--timeout=50s", *targets)
    return names


def remove_fake_nodes(box: Box) -> None:
    """Delete every fake node, and end kwok's part in the cluster."""
    box.kubectl("delete", "node", "-l", "type=kwok", "--wait=false")


def _node(name: str, cpu: int, gpus: int, *, tainted: bool) -> dict[str, object]:
    room = {"cpu": f"{cpu}", "memory": "1Ti", "pods": "1000", "nvidia.com/gpu": f"{gpus}"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "annotations": {ANNOTATION: "fake"},
            "labels": {"type": "kwok", "kubernetes.io/hostname": name, "kubernetes.io/os": "linux"},
        },
        "spec": {"taints": [TAINT] if tainted else []},
        "status": {"allocatable": room, "capacity": room},
    }
