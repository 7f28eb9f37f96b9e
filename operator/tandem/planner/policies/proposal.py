"""What a policy answers, and what it says about itself."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from tandem.api.role import Role
from tandem.errors import InvalidInputError
from tandem.planner.model import Memory, RunnerUp
from tandem.planner.observation import Observation
from tandem.planner.spec import FleetSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """Replicas that a policy wishes for, before any limit.

    Attributes:
        wishes: per role.
        reasons: per role, why so many.
        notes: what concerns the fleet as a whole.
        ideal: the wish before the policy itself heeded bounds, ratio and budget.
        runner_up: the next best pair.
        hold_s: the least time over which a lower wish must stand before it is followed.
        facts: numbers of the policy's own to remember.

    """

    wishes: Mapping[Role, int]
    reasons: Mapping[Role, str]
    notes: tuple[str, ...] = ()
    ideal: Mapping[Role, int] = field(default_factory=lambda: MappingProxyType({}))
    runner_up: RunnerUp | None = None
    hold_s: float = 0.0
    facts: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))


Decide = Callable[[Observation, Memory, FleetSpec], Proposal]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A number of a policy's own: its default and the least and most that make sense."""

    default: float | None
    least: float
    most: float
    meaning: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A policy with its provenance.

    `source` is where its rule comes from, `knob` the one parameter that trades replicas against misses,
    `fails` where it does. `needs_traffic`: without figures it can only stand still.
    """

    decide: Decide
    source: str
    knob: str
    fails: str
    parameters: Mapping[str, Parameter]
    needs_traffic: bool = True

    def check(self, given: Mapping[str, float]) -> None:
        """Refuse parameters that the policy does not know, or out of range."""
        for name, value in given.items():
            if name not in self.parameters:
                known = ", ".join(sorted(self.parameters))
                raise InvalidInputError(f"{FIELD}.{name}", value, f"one of {known}")
            bounds = self.parameters[name]
            if not bounds.least <= value <= bounds.most:
                allowed = f"from {bounds.least:g} to {bounds.most:g}"
                raise InvalidInputError(f"{FIELD}.{name}", value, allowed)


FIELD = "policy.parameters"


def parameter(spec: FleetSpec, known: Mapping[str, Parameter], name: str) -> float:
    """A parameter as the fleet sets it, else its default."""
    value = spec.parameters.get(name, known[name].default)
    if value is None:
        raise InvalidInputError(f"{FIELD}.{name}", None, "a number: the policy has no default")
    return value


def current(observation: Observation, role: Role) -> int:
    """Replicas that are asked for now."""
    pods = observation.pods.get(role)
    return 0 if pods is None else pods.desired
