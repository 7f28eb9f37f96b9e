"""Disruption budgets: a drained node takes one engine of a role at a time."""

from typing import Any

from tandem.api.role import Role
from tandem.cluster.kubernetes import labels
from tandem.controller.children import names
from tandem.controller.children.parent import Parent


def engines(parent: Parent, role: Role) -> dict[str, Any]:
    """The budget of a role; pods that serve nobody anyway may always go."""
    selected = {labels.FLEET: parent.fleet, labels.ROLE: role.value}
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": parent.metadata(names.role(parent.fleet, role), {labels.COMPONENT: role.value}),
        "spec": {
            "maxUnavailable": 1,
            "selector": {"matchLabels": selected},
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
        },
    }
