"""The order in which the daemons start, and what each has to show before the next."""

import json
import socket

from e2e.cluster import control_plane, node
from e2e.cluster.access import Box
from e2e.cluster.containers import load_image, pause_archive, shell_archive
from e2e.cluster.daemons import Daemon, wait_ready
from e2e.cluster.places import BoxError, timed

NODE_READY = '{.status.conditions[?(@.type=="Ready")].status}{.spec.taints}'


def start(box: Box) -> None:
    """Start everything, and wait until pods can be placed."""
    control_plane.configure()
    node.configure()
    first, rest = _first(box), _rest(box)
    for daemon in first:
        daemon.start()
    with timed("containerd and its first images"):
        wait_ready("containerd listens", _containerd_listens, first)
        load_image(pause_archive(box.programs["pause"]))
        load_image(shell_archive())
    with timed("etcd and the API server"):
        wait_ready("the API server is ready", lambda: _api_ready(box), first)
    for daemon in rest:
        daemon.start()
    with timed("controllers, scheduler, DNS, node"):
        services = {"apiVersion": "v1", "kind": "List", "items": control_plane.DNS_OBJECTS}
        box.kubectl("apply", "-f", "-", stdin=json.dumps(services))
        wait_ready("the node takes pods", lambda: _takes_pods(box), first + rest)


def is_ready(box: Box) -> bool:
    """True if every daemon lives and pods can be placed."""
    return all(daemon.alive() for daemon in _first(box) + _rest(box)) and _takes_pods(box)


def _first(box: Box) -> list[Daemon]:
    return [
        control_plane.etcd(box.programs),
        control_plane.apiserver(box.programs),
        node.containerd(),
    ]


def _rest(box: Box) -> list[Daemon]:
    return [
        control_plane.controller_manager(box.programs),
        control_plane.scheduler(box.programs),
        control_plane.dns(box.programs),
        node.kubelet(box.programs),
        node.proxy(box.programs),
    ]


def _containerd_listens() -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(f"{node.SOCKET}") == 0


def _api_ready(box: Box) -> bool:
    return _answer(box, "get", "--raw", "/readyz") == "ok"


def _takes_pods(box: Box) -> bool:
    """True if the node is ready and free of taints, and pods would get their identity."""
    node_says = _answer(box, "get", "node", box.node, f"-o=jsonpath={NODE_READY}")
    return node_says == "True" and bool(_answer(box, "get", "serviceaccount", "default", "-o=name"))


def _answer(box: Box, *arguments: str) -> str:
    """What kubectl prints, nothing while the server cannot say."""
    try:
        return box.kubectl(*arguments).strip()
    except BoxError:
        return ""
