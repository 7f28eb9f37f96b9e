"""What a policy answers, and what it says about itself."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from tandem.api.role import Role
from tandem.errors import InvalidInputError
from tandem.planner.forecast import Forecast
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
        goal: the share of requests that fewer replicas must still serve within the SLO, as far as the model
            knows, before any go; 0 lets them go unasked.
        hold_s: the least time over which a lower wish must stand before it is followed.
        facts: numbers of the policy's own, finite; the next tick finds these and no others in its memory.
        switches: ready pods that change their role, (from, to) each; `wishes` are those afterwards.
        warm: pods per role that stand by, started, beside the wishes.
        expected: what is forecast for each role, of a policy that forecasts.

    """

    wishes: Mapping[Role, int]
    reasons: Mapping[Role, str]
    notes: tuple[str, ...] = ()
    ideal: Mapping[Role, int] = field(default_factory=lambda: MappingProxyType({}))
    runner_up: RunnerUp | None = None
    goal: float = 0.0
    hold_s: float = 0.0
    facts: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    switches: tuple[tuple[Role, Role], ...] = ()
    warm: Mapping[Role, int] = field(default_factory=lambda: MappingProxyType({}))
    expected: Mapping[Role, Forecast] = field(default_factory=lambda: MappingProxyType({}))


Decide = Callable[[Observation, Memory, FleetSpec], Proposal]
Grown = Callable[[Mapping[str, float], float], Mapping[str, float]]


def as_they_are(facts: Mapping[str, float], growth: float) -> Mapping[str, float]:  # noqa: ARG001
    """Facts that do not hang on how many requests came."""
    return facts


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A number of a policy's own: its default and the least and most that make sense."""

    default: float | None
    least: float
    most: float
    meaning: str


class Provenance(StrEnum):
    """How well a rule is known; headlines and resources name only the first two."""

    CODE = "code"  # its authors' code was read
    PAPER = "paper"  # its paper was read
    SECONDARY = "secondary"  # only what others tell of it was read
    RECONSTRUCTED = "reconstructed"  # what is missing in all of that is ours


@dataclass(frozen=True, slots=True, kw_only=True)
class Aggressiveness:
    """The one parameter that trades replicas against misses, and seven values of it, lean to generous."""

    parameter: str
    sweep: tuple[float, ...]

    @property
    def generous(self) -> str:
        """Whether higher or lower values ask for more replicas."""
        return "higher" if self.sweep[-1] > self.sweep[0] else "lower"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A policy with its provenance.

    Attributes:
        decide: the rule.
        source: where it comes from.
        provenance: how well it is known.
        reconstructed: what its source does not say and this code supplies, one by one.
        aggressiveness: what a league sweeps; None where a fleet has no single such number.
        fails_where: in a sentence.
        parameters: by name.
        own_order: the queue order that its source serves with, of `routing.orders`.
        needs_traffic: without figures it can only stand still.
        instead_of_profile: parameters that together tell all that it would read off an engine profile.
        learns: it goes by times of engines as they were seen (`planner.calibration`).
        grown: its facts as they would be if so many times as many requests had come.

    """

    decide: Decide
    source: str
    provenance: Provenance
    aggressiveness: Aggressiveness | None
    fails_where: str
    parameters: Mapping[str, Parameter]
    reconstructed: tuple[str, ...] = ()
    own_order: str = "fcfs"
    needs_traffic: bool = True
    instead_of_profile: tuple[str, ...] = ()
    learns: bool = False
    grown: Grown = as_they_are

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


def held(observation: Observation, why: str) -> Proposal:
    """Every role as it is, and why."""
    return Proposal(
        wishes={role: current(observation, role) for role in Role},
        reasons=dict.fromkeys(Role, f"held: {why}"),
    )
