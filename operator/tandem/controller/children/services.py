"""Services: one address for users, and the engines of a role by name for people and scrapers."""

from typing import Any

from tandem.api.role import Role
from tandem.cluster.kubernetes import labels
from tandem.controller.children import names
from tandem.controller.children.parent import Parent

_HTTP_PORT = 80


def gateway(parent: Parent) -> dict[str, Any]:
    """Where users send requests."""
    selected = {labels.FLEET: parent.fleet, labels.COMPONENT: labels.GATEWAY}
    own = {labels.COMPONENT: labels.GATEWAY}
    service = _service(parent, names.gateway(parent.fleet), own, selected)
    service["spec"]["ports"] = [_port(_HTTP_PORT)]
    return service


def engines(parent: Parent, role: Role) -> dict[str, Any]:
    """The engines that serve in a role now; headless, because the gateway alone balances."""
    selected = {labels.FLEET: parent.fleet, labels.ROLE: role.value}
    own = {labels.COMPONENT: role.value}
    service = _service(parent, names.role(parent.fleet, role), own, selected)
    service["spec"] |= {"clusterIP": "None", "ports": [_port(labels.ENGINE_PORT)]}
    return service


def _service(
    parent: Parent, name: str, own: dict[str, str], selected: dict[str, str]
) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": parent.metadata(name, own),
        "spec": {"type": "ClusterIP", "selector": selected},
    }


def _port(number: int) -> dict[str, Any]:
    return {"name": labels.HTTP, "port": number, "targetPort": labels.HTTP, "protocol": "TCP"}
