"""One role of a fleet: how many replicas it may have, and on what they run."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import Field

from tandem.api.base import ApiModel, Rule
from tandem.api.scalars import Label, Quantity, ResourceName

LARGEST_FLEET = 4096  # replicas of a role; keeps products of two counts far within 64 bits
Count = Annotated[int, Field(ge=1, le=LARGEST_FLEET)]


class Accelerator(ApiModel):
    """What one replica computes on."""

    name: Label
    """Kind of accelerator, such as nvidia-h200."""

    count: Annotated[int, Field(ge=1, le=1024)] = 1
    """Accelerators of one replica."""

    cost_per_hour: Quantity | None = None
    """Price of one accelerator for an hour, in any currency as long as it is one, such as "4.10"."""


class Pool(ApiModel):
    """Replicas of one kind."""

    name: Label
    """Name of the pool, once in its role."""

    accelerator: Accelerator
    """What one replica computes on; name and count are those of the profile. Its price, where one
    is given, stands in for the profile's."""

    profile_ref: ResourceName
    """Name of the EngineProfile, in the same namespace, that says what a replica's work costs in
    time."""

    template: Annotated[
        Mapping[str, Any] | None,
        Field(json_schema_extra={"type": "object", "x-kubernetes-preserve-unknown-fields": True}),
    ] = None
    """Pod template that engine pods start from, such as volumes, tolerations and node selectors;
    its container named engine is the engine's. What Tandem needs comes on top. Checked by the API
    server when the Deployment is made."""


class Replicas(ApiModel):
    """Bounds on the replicas of a role."""

    min: Count = 1
    """Fewest replicas, however little there is to do."""

    max: Count = 64
    """Most replicas, however much there is to do."""

    @property
    def span(self) -> range:
        """Every number of replicas within the bounds."""
        return range(self.min, self.max + 1)

    def is_ordered(self) -> bool:
        """Whether there is a number between the bounds."""
        return self.min <= self.max

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            field="min",
            allowed="at most replicas.max",
            cel="self.min <= self.max",
            holds=is_ordered,
        ),
    )


class RoleSpec(ApiModel):
    """One role of the fleet."""

    replicas: Replicas = Replicas()
    """How many replicas the role may have."""

    pools: Annotated[
        tuple[Pool, ...],
        Field(
            min_length=1,
            max_length=1,
            json_schema_extra={
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["name"],
            },
        ),
    ]
    """Kinds of replica that the role may be made of. Exactly one in this version: planning over
    accelerators that differ within a role is not there yet."""

    @property
    def pool(self) -> Pool:
        """The pool that replicas come from."""
        return self.pools[0]

    @property
    def accelerators_at_least(self) -> int:
        """Accelerators that the role holds at its fewest replicas."""
        return self.replicas.min * self.pool.accelerator.count
