"""All objects that a fleet is made of."""

from collections.abc import Mapping
from typing import Any

from tandem.api.fleet import DisaggregatedLLM
from tandem.api.role import Role
from tandem.controller.children import access, budgets, deployments, gateway, services
from tandem.controller.children.parent import Parent
from tandem.controller.children.profiles import config_map
from tandem.controller.options import Images
from tandem.perf.engine_profile import EngineProfile


def children(
    fleet: DisaggregatedLLM,
    owner: Mapping[str, Any],
    namespace: str,
    profiles: Mapping[Role, EngineProfile],
    images: Images,
) -> list[dict[str, Any]]:
    """The objects of a fleet, in an order in which each finds what it needs.

    Engines' Deployments are those of the wanted revision, and name no replicas: those are another
    field manager's. `owner` is the owner reference of the resource, `profiles` those of its roles.

    Raises:
        InvalidInputError: a pool's template has something other than a pod template has there.

    """
    parent = Parent(fleet=fleet.metadata.name, namespace=namespace, owner=owner)
    roles = tuple(fleet.spec.roles)
    return [
        *access.gateway(parent),
        config_map(parent, profiles),
        services.gateway(parent),
        *(services.engines(parent, role) for role in roles),
        *(budgets.engines(parent, role) for role in roles),
        *(deployments.engines(parent, fleet, role, images) for role in roles),
        gateway.deployment(parent, fleet, profiles, images),
    ]
