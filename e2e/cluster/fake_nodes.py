"""Nodes and pods without containers, by the thousand: kwok plays their kubelets."""

import json

from e2e.cluster import pki
from e2e.cluster.access import Box
from e2e.cluster.daemons import Daemon, wait_ready
from e2e.cluster.programs import KWOK

ANNOTATION = "kwok.x-k8s.io/node"
"""Nodes that carry it are fake; kwok leaves all others alone."""
LABEL = "tandem-e2e/node"
"""For the node selectors of pods that shall be fake."""
TAINT = {"key": ANNOTATION, "value": "fake", "effect": "NoSchedule"}
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
    if not _kwok(box).alive():
        _kwok(box).start()


def _kwok(box: Box) -> Daemon:
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
    return Daemon("kwok", command)


def add_fake_nodes(box: Box, count: int, cpu: int, gpus: int, *, tainted: bool = True) -> list[str]:
    """Add nodes of some CPUs and GPUs each, and wait until they are ready.

    Tainted, only pods that tolerate `kwok.x-k8s.io/node=fake:NoSchedule` are placed on them.
    """
    names = [f"fake-{number}" for number in range(count)]
    nodes = [_node(name, cpu, gpus, tainted=tainted) for name in names]
    listed = {"apiVersion": "v1", "kind": "List", "items": nodes}
    box.kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(listed))
    wait_ready("the fake nodes are ready", lambda: _ready(box) >= count, [_kwok(box)])
    return names


def remove_fake_nodes(box: Box) -> None:
    """Delete every fake node; its pods follow."""
    box.kubectl("delete", "node", "-l", f"{LABEL}=fake", "--wait=false")


def advertise_gpus(box: Box, count: int) -> None:
    """Let the real node claim GPUs; pods that ask for one are placed, and find none inside."""
    status = {
        "capacity": {"nvidia.com/gpu": f"{count}"},
        "allocatable": {"nvidia.com/gpu": f"{count}"},
    }
    patch = json.dumps({"status": status})
    box.kubectl("patch", "node", box.node, "--subresource=status", "--type=merge", "-p", patch)


def _ready(box: Box) -> int:
    """How many fake nodes are ready."""
    template = '-o=jsonpath={.items[*].status.conditions[?(@.type=="Ready")].status}'
    return box.kubectl("get", "nodes", "-l", f"{LABEL}=fake", template).split().count("True")


def _node(name: str, cpu: int, gpus: int, *, tainted: bool) -> dict[str, object]:
    room = {"cpu": f"{cpu}", "memory": "1Ti", "pods": "1000", "nvidia.com/gpu": f"{gpus}"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "annotations": {ANNOTATION: "fake"},
            "labels": {LABEL: "fake", "kubernetes.io/hostname": name, "kubernetes.io/os": "linux"},
        },
        "spec": {"taints": [TAINT] if tainted else []},
        "status": {"allocatable": room, "capacity": room},
    }
