"""The status of a fleet: output only, for people and their tools; at most a few KB."""

from enum import StrEnum
from typing import Annotated, Self

from pydantic import AwareDatetime, Field

from tandem.api import duration
from tandem.api.base import ApiModel
from tandem.api.policy_names import BOTTLENECKS
from tandem.api.role import Role
from tandem.api.scalars import OneOf, Sentence, Text, Word

Replicas = Annotated[int, Field(ge=0)]
RatioText = Annotated[
    str,
    Text(
        allowed="prefill to decode replicas, such as 1:6",
        max_length=16,
        pattern=r"^[0-9]+:[0-9]+$",
    ),
]
LatencyText = Annotated[
    str,
    Text(allowed="a duration such as 230ms", max_length=32, pattern=duration.PATTERN),
]
Latency = LatencyText | None


class Phase(StrEnum):
    """Where a fleet stands, in one word."""

    STARTING = "Starting"
    READY = "Ready"
    PAUSED = "Paused"


class RoleStatus(ApiModel):
    """Pods of one role."""

    desired: Replicas
    """Replicas that the operator asks for."""

    ready: Replicas
    """Pods that take requests."""

    starting: Replicas
    """Pods on their way to Ready."""

    draining: Replicas
    """Pods that finish what they have and then go."""

    ready_of_desired: Annotated[
        str, Text(allowed="such as 3/4", max_length=16, pattern=r"^[0-9]+/[0-9]+$")
    ]
    """Ready pods of those asked for, such as 3/4."""

    @classmethod
    def of(cls, *, desired: int, ready: int, starting: int, draining: int) -> Self:
        """The status of a role with so many pods."""
        return cls(
            desired=desired,
            ready=ready,
            starting=starting,
            draining=draining,
            ready_of_desired=f"{ready}/{desired}",
        )


class RolesStatus(ApiModel):
    """Pods by role."""

    prefill: RoleStatus
    """Pods that compute prompts."""

    decode: RoleStatus
    """Pods that generate tokens."""


class RatioStatus(ApiModel):
    """Prefill replicas to decode replicas."""

    current: RatioText
    """Of the pods that take requests."""

    optimal: RatioText | None = None
    """Of the cheapest fleet that holds the objective for the present demand, before any limit."""


class SloStatus(ApiModel):
    """How the fleet does against its objective; what nobody measured yet is not there."""

    attainment: Annotated[float, Field(ge=0, le=1)] | None = None
    """Share of finished requests that met both targets, as measured over the last interval."""

    ttft_p50: Latency = None
    """Time to first token that half of the requests keep to, as predicted for this demand."""

    ttft_p95: Latency = None
    """Time to first token that 95 % of the requests keep to, as predicted for this demand."""

    ttft_p99: Latency = None
    """Time to first token that 99 % of the requests keep to, as predicted for this demand."""

    tpot_p50: Latency = None
    """Time per output token that half of the requests keep to, as predicted for this demand."""

    tpot_p95: Latency = None
    """Time per output token that 95 % of the requests keep to, as predicted for this demand."""

    tpot_p99: Latency = None
    """Time per output token that 99 % of the requests keep to, as predicted for this demand."""


class ReplicaPair(ApiModel):
    """Replicas of both roles."""

    prefill: Replicas
    """Prefill replicas."""

    decode: Replicas
    """Decode replicas."""


class ClampStatus(ApiModel):
    """A limit that changed what the policy wished for."""

    limit: Word
    """Name of the limit."""

    role: Role
    """Role that it changed."""

    before: Replicas
    """Replicas before the limit."""

    after: Replicas
    """Replicas after the limit."""

    reason: Sentence
    """Why the limit applied."""


class DecisionStatus(ApiModel):
    """The last decision, with everything that led to it."""

    time: AwareDatetime
    """When it was made."""

    reason: Sentence
    """Why."""

    unclamped: ReplicaPair
    """What the policy wished for."""

    clamps: Annotated[
        tuple[ClampStatus, ...],
        Field(max_length=32, json_schema_extra={"x-kubernetes-list-type": "atomic"}),
    ] = ()
    """Limits that changed the wish, in the order in which they did."""

    final: ReplicaPair
    """What was asked of the cluster."""


class ConditionState(StrEnum):
    """Whether a condition holds."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class Condition(ApiModel):
    """One claim about the fleet, in the shape that all Kubernetes resources share."""

    type: Annotated[
        str,
        Text(
            allowed="CamelCase words, such as MetricsFresh",
            max_length=64,
            pattern=r"^[A-Z][A-Za-z]*$",
        ),
    ]
    """The claim, such as Ready or MetricsFresh."""

    status: ConditionState
    """Whether it holds."""

    reason: Annotated[
        str,
        Text(
            allowed="CamelCase words, such as NoScrape", max_length=64, pattern=r"^[A-Z][A-Za-z]*$"
        ),
    ]
    """Why, as a word for programs."""

    message: Sentence = ""
    """Why, as a sentence for people."""

    last_transition_time: AwareDatetime
    """When the status last changed."""

    observed_generation: Annotated[int, Field(ge=0)] | None = None
    """Generation of the resource that the claim is about."""


class FleetStatus(ApiModel):
    """What the fleet is."""

    observed_generation: Annotated[int, Field(ge=0)] | None = None
    """Generation of the resource that the operator last acted on."""

    phase: Phase | None = None
    """Where the fleet stands: Starting until every role has its fewest replicas Ready, Paused where
    autoscaling.mode says so."""

    roles: RolesStatus | None = None
    """Pods by role."""

    ratio: RatioStatus | None = None
    """Prefill replicas to decode replicas."""

    slo: SloStatus | None = None
    """How the fleet does against its objective."""

    bottleneck: Annotated[str, OneOf(BOTTLENECKS)] | None = None
    """Which stage gives way first when load grows."""

    last_decision: DecisionStatus | None = None
    """The last decision, with everything that led to it."""

    conditions: Annotated[
        tuple[Condition, ...],
        Field(
            max_length=16,
            json_schema_extra={
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["type"],
            },
        ),
    ] = ()
    """Claims about the fleet, one of each type."""
