"""Conditions: claims about a resource, in the shape that all Kubernetes resources share."""

from enum import StrEnum
from typing import Annotated

from pydantic import AwareDatetime, Field

from tandem.api.base import ApiModel
from tandem.api.cut import Message
from tandem.api.scalars import Text

CAMEL_CASE = r"^[A-Z][A-Za-z]*$"


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
            pattern=CAMEL_CASE,
        ),
    ]
    """The claim, such as Ready or MetricsFresh."""

    status: ConditionState
    """Whether it holds."""

    reason: Annotated[
        str,
        Text(
            allowed="CamelCase words, such as MetricsMissing",
            max_length=64,
            pattern=CAMEL_CASE,
        ),
    ]
    """Why, as a word for programs."""

    message: Message = ""
    """Why, as a sentence for people."""

    last_transition_time: AwareDatetime
    """When the status last changed."""

    observed_generation: Annotated[int, Field(ge=0)] | None = None
    """Generation of the resource that the claim is about."""
