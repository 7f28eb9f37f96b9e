"""DisaggregatedLLM: a fleet that serves one model with prefill and decode on separate GPUs.

A field arrives with its behaviour: what is here is done, and what is not done is not here.
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from tandem.api.autoscaling import Autoscaling
from tandem.api.base import ApiModel, Path, Rule
from tandem.api.engine_spec import EngineSpec
from tandem.api.fleet_status import FleetStatus
from tandem.api.metadata import FleetMetadata
from tandem.api.metrics_spec import Metrics
from tandem.api.policy_names import QUEUE_ORDERS
from tandem.api.role import Role
from tandem.api.role_spec import RoleSpec
from tandem.api.scalars import Duration, FilePath, ModelName, OneOf


class ModelSource(ApiModel):
    """Where engines load the model from, if not from the hub."""

    path: FilePath
    """Folder in engine pods that holds the model; a volume of the pool's template brings it."""


class ModelSpec(ApiModel):
    """The model that the fleet serves."""

    name: ModelName
    """Name that clients ask for, and of the hub's model that engines load unless source says
    otherwise."""

    source: ModelSource | None = None
    """Where engines load the model from, if not from the hub."""

    max_context: Annotated[int, Field(ge=1, le=100_000_000)] | None = None
    """Most tokens of one request, prompt and answer together; the model's own limit where not
    given."""


class Latency(ApiModel):
    """One latency of the service level objective."""

    target: Duration
    """Time within which a request meets the objective, such as 500ms."""


class Slo(ApiModel):
    """The service level objective: a share of all requests meets both latencies."""

    ttft: Latency
    """Time to first token, from the arrival at the gateway."""

    tpot: Latency
    """Time per output token after the first, as the mean over one request."""

    attainment: Annotated[float, Field(gt=0, lt=1)] = 0.99
    """Share of all arrivals that meets both targets, such as 0.99."""


class Routing(ApiModel):
    """How the gateway hands requests to pods."""

    order: Annotated[str, OneOf(QUEUE_ORDERS)] = "feasible-first"
    """Which waiting request is served next: feasible-first takes those that can still meet their
    TTFT, by deadline, and those already late after them; fcfs the first come; edf the earliest
    deadline."""


class Gateway(ApiModel):
    """The HTTP process in front of the fleet."""

    routing: Routing = Routing()
    """How requests are handed to pods."""


class DisaggregatedLLMSpec(ApiModel):
    """What the fleet shall be."""

    model: ModelSpec
    """The model that the fleet serves."""

    engine: EngineSpec = EngineSpec()
    """The program that runs in engine pods."""

    slo: Slo
    """What the fleet shall hold for its users."""

    prefill: RoleSpec
    """The replicas that compute prompts."""

    decode: RoleSpec
    """The replicas that generate tokens."""

    autoscaling: Autoscaling = Autoscaling()
    """How the fleet is scaled."""

    metrics: Metrics = Metrics()
    """Where figures come from."""

    gateway: Gateway = Gateway()
    """The HTTP process in front of the fleet."""

    @property
    def roles(self) -> Mapping[Role, RoleSpec]:
        """The roles of the fleet, so that a rule is written once for all."""
        return {Role.PREFILL: self.prefill, Role.DECODE: self.decode}

    def budget_holds_minima(self) -> bool:
        """Whether the fewest replicas fit into the budget of accelerators."""
        budget = self.autoscaling.budget
        if budget is None or budget.accelerators is None:
            return True
        return budget.accelerators >= sum(r.accelerators_at_least for r in self.roles.values())

    def ratio_can_be_met(self) -> bool:
        """Whether some pair of replicas within the roles' bounds lies within the ratio's."""
        ratio = self.autoscaling.ratio
        prefill, decode = self.prefill.replicas.span, self.decode.replicas.span
        return ratio is None or ratio.is_met_by_some(prefill, decode)

    def floors_are_within_bounds(self) -> bool:
        """Whether every schedule asks for replicas that its role may have."""
        return not any(self._floors_too_high())

    def floor_too_high(self) -> Path:
        """Where the first schedule stands that asks for more."""
        return next(self._floors_too_high())

    def _floors_too_high(self) -> Iterator[Path]:
        for at, schedule in enumerate(self.autoscaling.schedules):
            for role, floor in schedule.floors.items():
                if floor > self.roles[role].replicas.max:
                    yield "autoscaling", "schedules", at, f"{role}Min"

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            field="autoscaling.ratio",
            allowed="bounds that some pair of replicas within replicas.min and replicas.max meets",
            # CEL has no loop over integers, so this asks whether the two intervals of ratios
            # overlap. It lets through what overlaps between two pairs of integers (replicas 1 and
            # 1 to 2, ratio 2:3 to 3:4); `ratio_can_be_met` is exact and refuses that as well.
            cel="!has(self.autoscaling.ratio)"
            " || ((!has(self.autoscaling.ratio.min)"
            " || self.prefill.replicas.max * self.autoscaling.ratio.min.decode"
            " >= self.autoscaling.ratio.min.prefill * self.decode.replicas.min)"
            " && (!has(self.autoscaling.ratio.max)"
            " || self.prefill.replicas.min * self.autoscaling.ratio.max.decode"
            " <= self.autoscaling.ratio.max.prefill * self.decode.replicas.max))",
            holds=ratio_can_be_met,
        ),
        Rule(
            field="autoscaling.budget.accelerators",
            allowed="at least the accelerators of replicas.min of all roles together",
            cel="!has(self.autoscaling.budget) || !has(self.autoscaling.budget.accelerators)"
            " || self.autoscaling.budget.accelerators"
            " >= self.prefill.replicas.min * self.prefill.pools[0].accelerator.count"
            " + self.decode.replicas.min * self.decode.pools[0].accelerator.count",
            holds=budget_holds_minima,
        ),
        Rule(
            field="autoscaling.schedules",
            allowed="at most replicas.max of the role",
            cel="!has(self.autoscaling.schedules) || self.autoscaling.schedules.all(each,"
            " (!has(each.prefillMin) || each.prefillMin <= self.prefill.replicas.max)"
            " && (!has(each.decodeMin) || each.decodeMin <= self.decode.replicas.max))",
            holds=floors_are_within_bounds,
            culprit=floor_too_high,
        ),
    )


class DisaggregatedLLM(ApiModel):
    """A fleet that serves one model with prefill and decode on separate GPUs."""

    api_version: Literal["tandem.dev/v1alpha1"] = "tandem.dev/v1alpha1"
    """Version of this shape of the resource."""

    kind: Literal["DisaggregatedLLM"] = "DisaggregatedLLM"
    """Kind of the resource."""

    metadata: FleetMetadata
    """Name and owner of the resource."""

    spec: DisaggregatedLLMSpec
    """What the fleet shall be."""

    status: FleetStatus | None = None
    """What the fleet is: written by the operator, read by people, never read back."""
