"""What the operator has learnt of a fleet's engines, in an EngineProfile's own words, and how far it is believed."""

from typing import Annotated

from pydantic import Field

from tandem.api.base import ApiModel
from tandem.api.engine_costs import DecodeCost, PrefillCost, TransferCost

Share = Annotated[float, Field(ge=0, le=1)]
NotNegative = Annotated[float, Field(ge=0)]


class LearntRole(ApiModel):
    """What is told of either role."""

    times_of_profile: NotNegative
    """How many times as long its work takes as the EngineProfile tells; 1 where nothing is known yet."""

    requests: NotNegative
    """How many requests say so; those of long ago count less."""

    trust: Share | None = None
    """How far the model of the role is believed: 1 where users get what it says, halved for each doubling of
    misses between the two."""


class LearntPrefill(LearntRole):
    """Of prefill."""

    cost: PrefillCost
    """Seconds of a batch of prompts, as this fleet's engines take them."""


class LearntDecode(LearntRole):
    """Of decode."""

    cost: DecodeCost
    """Seconds of a decode step, as this fleet's engines take them."""


class LearntTransfer(ApiModel):
    """Of the link over which KV comes to decode."""

    times_of_profile: NotNegative
    """How many times as long a byte takes as the EngineProfile tells."""

    requests: NotNegative
    """How many requests say so; those of long ago count less."""

    cost: TransferCost
    """The link, as this fleet's engines find it."""


class ModelStatus(ApiModel):
    """What was learnt; the costs may be written to an EngineProfile as they are."""

    trust: Share | None = None
    """That of the role that is trusted less; nothing where the policy asks no model."""

    prefill: LearntPrefill
    """Of prefill."""

    decode: LearntDecode
    """Of decode."""

    transfer: LearntTransfer | None = None
    """Of KV that comes to decode; nothing where no engine tells of it."""
