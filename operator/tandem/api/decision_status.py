"""What a status tells of decisions: the last one with all that led to it, and the last changes."""

from typing import Annotated

from pydantic import AwareDatetime, Field

from tandem.api.base import ApiModel
from tandem.api.cut import Line, Name, Paragraph
from tandem.api.role import Role

MOST_CLAMPS = 24  # every limit may change every role once
MOST_CHANGES = 10

Replicas = Annotated[int, Field(ge=0)]
Amount = Annotated[float, Field(ge=0)] | None


class ReplicaPair(ApiModel):
    """Replicas of both roles."""

    prefill: Replicas
    """Prefill replicas."""

    decode: Replicas
    """Decode replicas."""


class ClampStatus(ApiModel):
    """A limit that changed what the policy wished for."""

    limit: Name
    """Name of the limit."""

    role: Role
    """Role that it changed."""

    before: Replicas
    """Replicas before the limit."""

    after: Replicas
    """Replicas after the limit."""

    reason: Line
    """Why the limit applied."""


class InputsStatus(ApiModel):
    """What the decision was made from; what is not known is not there."""

    arrivals_per_second: Amount = None
    """Requests that came in each second, over the last minute."""

    arrival_dispersion: Amount = None
    """Variance over mean of arrival counts: 1 where requests come independently, more in bursts."""

    mean_input_tokens: Amount = None
    """Tokens of a prompt, as the mean of recent requests."""

    mean_cached_tokens: Amount = None
    """Tokens of a prompt that were computed before, as the mean of recent requests."""

    mean_output_tokens: Amount = None
    """Tokens of an answer, as the mean of recent requests."""

    queued_requests: Amount = None
    """Requests that wait for a prefill pod."""

    age_seconds: Amount = None
    """Age of the oldest figure."""


class CounterfactualStatus(ApiModel):
    """The next best pair, and why it lost."""

    replicas: ReplicaPair
    """The pair."""

    reason: Line
    """Why it lost."""


class DecisionStatus(ApiModel):
    """The last decision, with everything that led to it."""

    time: AwareDatetime
    """When it was made."""

    inputs: InputsStatus = InputsStatus()
    """What it was made from."""

    unclamped: ReplicaPair
    """What the policy wished for."""

    clamps: Annotated[
        tuple[ClampStatus, ...],
        Field(max_length=MOST_CLAMPS, json_schema_extra={"x-kubernetes-list-type": "atomic"}),
    ] = ()
    """Limits that changed the wish, in the order in which they did."""

    final: ReplicaPair
    """What it came to; asked of the cluster unless the fleet is paused."""

    reason: Paragraph
    """Why."""

    counterfactual: CounterfactualStatus | None = None
    """The next best pair, and why it lost."""

    next_review: AwareDatetime | None = None
    """When the next decision is made, unless something happens before."""


class ChangeStatus(ApiModel):
    """One change of replicas."""

    time: AwareDatetime
    """When it was asked for."""

    role: Role
    """Role that changed."""

    before: Replicas
    """Replicas before it."""

    after: Replicas
    """Replicas after it."""

    reason: Line
    """Why."""
