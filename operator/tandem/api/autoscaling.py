"""How a fleet is scaled: by which policy, within which bounds, how fast."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from tandem.api.base import ApiModel, Rule
from tandem.api.fallback import OnStale, OnUntrusted
from tandem.api.policy_names import POLICY_NAMES
from tandem.api.role_spec import Count
from tandem.api.scalars import Duration, OneOf, Quantity
from tandem.api.schedule import Schedule


class Mode(StrEnum):
    """Who moves the replicas."""

    AUTO = "Auto"
    PAUSED = "Paused"


class Policy(ApiModel):
    """A rule that turns what is observed into a number of replicas for each role."""

    name: Annotated[str, OneOf(POLICY_NAMES)] = "tandem"
    """The rule: tandem sizes by the queueing model, static stays at one size, hpa follows
    utilisation as the Horizontal Pod Autoscaler does; the others follow published rules, kpa
    Knative's, dynamo-sla and dynamo-load NVIDIA Dynamo's planner, the rest those of the systems
    that they are named after. `tandem policies` tells of each where it comes from."""

    parameters: Annotated[Mapping[str, float], Field(max_length=32)] = Field(default={})
    """Numbers of the policy's own by name; what is not given has the policy's default."""


class RatioPair(ApiModel):
    """Prefill replicas to decode replicas, as two integers: 1 to 6 is {prefill: 1, decode: 6}."""

    prefill: Count
    """Prefill replicas of the ratio."""

    decode: Count
    """Decode replicas of the ratio."""


class Ratio(ApiModel):
    """Bounds on prefill replicas per decode replica."""

    min: RatioPair | None = None
    """Fewest prefill replicas per decode replica; unbounded where not given."""

    max: RatioPair | None = None
    """Most prefill replicas per decode replica; unbounded where not given."""

    def is_ordered(self) -> bool:
        """Whether there is a ratio between the bounds; exact, in integers."""
        low, high = self.min, self.max
        return low is None or high is None or low.prefill * high.decode <= high.prefill * low.decode

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            field="min",
            allowed="at most ratio.max",
            cel="!has(self.min) || !has(self.max)"
            " || self.min.prefill * self.max.decode <= self.max.prefill * self.min.decode",
            holds=is_ordered,
        ),
    )

    def is_met_by_some(self, prefill: range, decode: range) -> bool:
        """Whether some pair of replicas lies within the bounds; exact, in integers."""
        return any(self._decodes_for(replicas, decode) for replicas in prefill)

    def _decodes_for(self, prefill: int, decode: range) -> range:
        """Decode replicas, of those given, that go with some prefill replicas."""
        low, high = self.min, self.max
        most = decode[-1] if low is None else prefill * low.decode // low.prefill
        fewest = decode[0] if high is None else -(-prefill * high.decode // high.prefill)
        return range(max(decode[0], fewest), min(decode[-1], most) + 1)


class Budget(ApiModel):
    """What all pods of the fleet that are not yet gone may use together."""

    accelerators: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    """Most accelerators, pods that start or drain among them; unbounded where not given."""

    cost_per_hour: Quantity | None = None
    """Most that the fleet may cost in an hour, in the currency of the pools; unbounded where not
    given."""


class ScaleUp(ApiModel):
    """How fast a role grows."""

    max_step: Count = 8
    """Most replicas that one decision adds to a role."""


class ScaleDown(ApiModel):
    """How fast a role shrinks."""

    window: Duration = "5m"
    """A role shrinks to the most that was wished for within this time."""

    max_step: Count = 1
    """Most replicas that one decision takes from a role."""


class Behavior(ApiModel):
    """How fast replicas move."""

    scale_up: ScaleUp = ScaleUp()
    """How fast a role grows."""

    scale_down: ScaleDown = ScaleDown()
    """How fast a role shrinks."""


class Autoscaling(ApiModel):
    """How the fleet is scaled."""

    mode: Mode = Mode.AUTO
    """Auto scales the fleet; Paused leaves every replica as it is."""

    policy: Policy = Policy()
    """The rule that decides."""

    interval: Duration = "5s"
    """Time between two decisions."""

    ratio: Ratio | None = None
    """Bounds on prefill replicas per decode replica; unbounded where not given."""

    budget: Budget | None = None
    """What the fleet may use in all; unbounded where not given."""

    behavior: Behavior = Behavior()
    """How fast replicas move."""

    schedules: Annotated[
        tuple[Schedule, ...],
        Field(max_length=32, json_schema_extra={"x-kubernetes-list-type": "atomic"}),
    ] = ()
    """Floors of replicas for demand that is known in advance; where several hold, the highest of
    each role counts. They hold whatever is measured, within replicas.max, ratio and budget."""

    on_stale: OnStale = OnStale.HOLD
    """What becomes of replicas while arrivals are unknown, because figures are missing or older than
    metrics.maxAge. Hold leaves them as they are. Max does so too at first, for
    as long as metrics.maxAge, and then goes to replicas.max, within ratio and budget."""

    on_untrusted: OnUntrusted = OnUntrusted.BANDS
    """What becomes of replicas while users get something far off what the model of the engines says
    (condition ModelTrusted). Bands goes by how busy the engines are, Hold leaves replicas as they
    are, Max goes to replicas.max, within ratio and budget. Of policies that ask no model it means
    nothing."""
