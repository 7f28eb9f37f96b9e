"""Deployments of engines, one for each role, pool and revision."""

from typing import Any

from tandem.api.fleet import DisaggregatedLLM
from tandem.api.role import Role
from tandem.cluster.kubernetes import labels
from tandem.controller.children import engine_pod, names
from tandem.controller.children.parent import Parent
from tandem.controller.children.revision import revision
from tandem.controller.options import Images

_SELECTED = (labels.FLEET, labels.POOL, labels.REVISION)  # the role is not: it may change


def engines(parent: Parent, fleet: DisaggregatedLLM, role: Role, images: Images) -> dict[str, Any]:
    """The Deployment of a role at the wanted revision, without replicas."""
    wanted = revision(fleet, images)
    template = engine_pod.template(fleet, role, images, wanted)
    pool = fleet.spec.roles[role].pool.name
    mine = labels.of_engine(parent.fleet, role, names.pool(role, pool), wanted)
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": parent.metadata(names.engines(parent.fleet, role, pool, wanted), mine),
        "spec": {
            "selector": {"matchLabels": {name: mine[name] for name in _SELECTED}},
            # No accelerator is held back for a surge.
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1},
            },
            "template": template,
        },
    }
