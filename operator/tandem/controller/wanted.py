"""What a person asked for, read from the resource and the profiles that it names."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tandem.api.engine_profile import EngineProfile
from tandem.api.fleet import DisaggregatedLLM
from tandem.api.parse import parse_fleet
from tandem.api.role import Role
from tandem.planner.from_resource import fleet_spec
from tandem.planner.spec import FleetSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One version of a fleet's resource, understood."""

    body: Mapping[str, Any]
    fleet: DisaggregatedLLM
    spec: FleetSpec

    @property
    def namespace(self) -> str:
        """Of the resource."""
        return str(self.body["metadata"]["namespace"])

    @property
    def name(self) -> str:
        """Of the resource."""
        return self.fleet.metadata.name

    @property
    def owner(self) -> dict[str, Any]:
        """The owner reference that every child carries."""
        return {
            "apiVersion": self.body["apiVersion"],
            "kind": self.body["kind"],
            "name": self.name,
            "uid": self.body["metadata"]["uid"],
            "controller": True,
            "blockOwnerDeletion": False,
        }

    @property
    def at_least(self) -> Mapping[Role, int]:
        """The fewest replicas of each role: what a new fleet starts with."""
        return {role: given.min_replicas for role, given in self.spec.roles.items()}


def read(body: Mapping[str, Any], profiles: Mapping[str, EngineProfile]) -> Wanted:
    """A resource as the API server holds it; `profiles` are those of its namespace, by name.

    Raises:
        InvalidInputError: a field is wrong in a way that the API server cannot see.

    """
    fleet = parse_fleet(body)
    return Wanted(body=body, fleet=fleet, spec=fleet_spec(fleet, profiles))
