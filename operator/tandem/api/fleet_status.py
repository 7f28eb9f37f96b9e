"""The status of a fleet: output only, for people and their tools; under 32 KB by its bounds.

Each text is cut to a size in bytes (`api.cut`) and each list has a length, so no fleet, however it
fails, has a status that the API server could not keep.
"""

from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field

from tandem.api import duration
from tandem.api.base import ApiModel
from tandem.api.condition import Condition
from tandem.api.cut import Name, Phrase
from tandem.api.decision_status import MOST_CHANGES, ChangeStatus, DecisionStatus, Replicas
from tandem.api.model_status import ModelStatus
from tandem.api.policy_names import BOTTLENECKS
from tandem.api.quantity import PATTERN as QUANTITY
from tandem.api.scalars import OneOf, Text

MOST_BYTES = 32 * 1024
MOST_FIGURES = 16
ATOMIC = {"x-kubernetes-list-type": "atomic"}

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
Price = Annotated[str, Text(allowed='a number such as "4.10"', max_length=32, pattern=QUANTITY)]


class Phase(StrEnum):
    """Where a fleet stands, in one word."""

    STARTING = "Starting"
    READY = "Ready"
    PAUSED = "Paused"
    INVALID = "Invalid"


class RoleStatus(ApiModel):
    """Pods of one role."""

    desired: Replicas
    """Replicas that the operator asks for."""

    current: Replicas
    """Pods that there are, but for those that drain."""

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
            current=ready + starting,
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


class MissingFigure(ApiModel):
    """A figure that could not be had."""

    figure: Name
    """Name of the figure."""

    reason: Phrase
    """Why it is missing."""


class Exactness(ApiModel):
    """How far the figures can be trusted that the fleet is scaled by."""

    exact: Annotated[
        tuple[Name, ...], Field(max_length=MOST_FIGURES, json_schema_extra=ATOMIC)
    ] = ()
    """Figures that were counted."""

    bounds: Annotated[
        tuple[Name, ...], Field(max_length=MOST_FIGURES, json_schema_extra=ATOMIC)
    ] = ()
    """Figures that are bounds or estimates of the true one."""

    missing: Annotated[
        tuple[MissingFigure, ...], Field(max_length=MOST_FIGURES, json_schema_extra=ATOMIC)
    ] = ()
    """Figures that could not be had, or are too old."""


class SloStatus(ApiModel):
    """How the fleet does against its objective; what nobody measured yet is not there."""

    attainment: Annotated[float, Field(ge=0, le=1)] | None = None
    """Share of the requests that ended within the last five minutes that met both targets."""

    attainment_percent: (
        Annotated[
            str, Text(allowed="such as 99.5%", max_length=16, pattern=r"^[0-9]+(\.[0-9]+)?%$")
        ]
        | None
    ) = None
    """The same for people, such as 99.5%."""

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

    exactness: Exactness | None = None
    """Which of the last figures are exact, which are bounds, and which are missing."""


class CostStatus(ApiModel):
    """What the fleet costs, in the currency of its pools."""

    per_hour: Price
    """Of every pod that is not yet gone, for an hour."""

    per1k_tokens: Annotated[Price | None, Field(alias="per1kTokens")] = None
    """Of a thousand output tokens at the arrivals of the last minute."""


class FleetStatus(ApiModel):
    """What the fleet is."""

    observed_generation: Annotated[int, Field(ge=0)] | None = None
    """Generation of the resource that the operator last acted on."""

    phase: Phase | None = None
    """Where the fleet stands: Starting until every role has its fewest replicas Ready, Paused where
    autoscaling.mode says so, Invalid while the resource asks for what can't be done."""

    roles: RolesStatus | None = None
    """Pods by role."""

    ratio: RatioStatus | None = None
    """Prefill replicas to decode replicas."""

    slo: SloStatus | None = None
    """How the fleet does against its objective."""

    bottleneck: Annotated[str, OneOf(BOTTLENECKS)] | None = None
    """Which stage gives way first when load grows."""

    model: ModelStatus | None = None
    """What was learnt of the engines: how long their work takes, and how far that is believed."""

    cost: CostStatus | None = None
    """What the fleet costs; where prices are known."""

    last_decision: DecisionStatus | None = None
    """The last decision, with everything that led to it."""

    history: Annotated[
        tuple[ChangeStatus, ...], Field(max_length=MOST_CHANGES, json_schema_extra=ATOMIC)
    ] = ()
    """The last changes of replicas, the newest first."""

    conditions: Annotated[
        tuple[Condition, ...],
        Field(
            max_length=12,
            json_schema_extra={
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["type"],
            },
        ),
    ] = ()
    """Claims about the fleet, one of each type."""
