"""`plan`: one observation and what is remembered -> targets per role, with reasons. Pure."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache, partial
from itertools import takewhile

from tandem.api.role import Role
from tandem.planner import arriving, calibration, forecast, sketch, switches
from tandem.planner import memory as memories
from tandem.planner.demand import Demand, arrival_ca2
from tandem.planner.limits import limited, with_wishes
from tandem.planner.model import Clamp, Decision, Memory, Plan, Prediction
from tandem.planner.observation import Observation
from tandem.planner.placement import predict
from tandem.planner.policies.proposal import Policy, Proposal
from tandem.planner.policies.table import named
from tandem.planner.region import Pair
from tandem.planner.situation import Situation, unknown
from tandem.planner.spec import FleetSpec

HEEDED = "the best pair that min, max, ratio and budget allow together"
RECENT_S = 60.0  # of arrivals, for the prediction of what the planned fleet would do now


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """How a plan came about, before it is put into words; `why_not` is why its figures can't be believed."""

    situation: Situation
    policy: Policy
    proposal: Proposal
    why_not: str
    targets: Pair
    clamps: tuple[Clamp, ...]

    @property
    def wish(self) -> Pair:
        """The unclamped answer."""
        return ideal(self.proposal)


def plan(observation: Observation, memory: Memory, spec: FleetSpec, *, learns: bool = True) -> Plan:
    """Remember, ask the policy and apply the limits; predict when somebody asks what will come of it.

    Times of engines are learnt where the policy goes by them, or where `learns` says that somebody does.
    """
    found = course(observation, memory, spec, learns=learns)
    proposal, clamps, memory = found.proposal, found.clamps, found.situation.memory
    return Plan(
        roles={role: _decision(proposal, found.targets, clamps, role) for role in Role},
        memory=replace(with_wishes(found.situation, proposal.wishes), facts=dict(proposal.facts)),
        predicted=cache(partial(_prediction, memory, spec, found.targets)),
        reasons=_reasons(proposal, clamps),
        runner_up=proposal.runner_up,
        look_again_s=spec.interval_s,
        switches=proposal.switches,
        warm=switches.warm(proposal.warm, found.targets, spec),
    )


def course(
    observation: Observation, memory: Memory, spec: FleetSpec, *, learns: bool = True
) -> Course:
    """All that is decided; `situation` holds the memory after this look, and pods after switches."""
    policy = named(spec.policy)
    lead_s = min(role.lead_time_s for role in spec.roles.values())
    merge_s = forecast.step_s(lead_s, sketch.MERGES_A_LEAD)
    memory = memories.remember(observation, memory, spec.behavior.stale_after_s, merge_s)
    if learns or policy.learns:
        memory = calibration.observed(observation, memory, spec)
    proposal = policy.decide(observation, memory, spec)
    situation = Situation(
        observation=observation,
        memory=memory,
        spec=spec,
        hold_s=proposal.hold_s,
        goal=proposal.goal,
        needs_traffic=policy.needs_traffic,
    )
    why_not = unknown(situation)
    proposal = _with_possible(proposal, situation, why_not)
    situation = replace(situation, observation=switches.after(observation, proposal.switches))
    targets, bitten = limited(situation, proposal.wishes)
    if why_not:  # what a policy says of old figures is no reason for what holds now
        proposal = replace(proposal, reasons=dict.fromkeys(Role, f"held: {why_not}"))
    return Course(
        situation=situation,
        policy=policy,
        proposal=proposal,
        why_not=why_not,
        targets=targets,
        clamps=(*_heeded(proposal), *bitten),
    )


def ideal(proposal: Proposal) -> Pair:
    """What a policy would wish for without bounds, ratio and budget."""
    return {role: proposal.ideal.get(role, proposal.wishes[role]) for role in Role}


def recent(memory: Memory) -> Demand | None:
    """The arrivals of the last minute; None while nothing is known of them or of lengths."""
    lengths, rate_rps = arriving.lengths(memory), recent_rps(memory)
    if lengths is None or rate_rps is None:
        return None
    ca2 = arrival_ca2(memory.dispersion)
    return Demand(rate_rps=rate_rps, lengths=lengths, arrival_ca2=ca2)


def recent_rps(memory: Memory) -> float | None:
    """Arrivals a second of the last minute that is known of; None before the first."""
    if not memory.rates:
        return None
    newest_s = memory.rates[-1][0]
    rates = [*takewhile(lambda rate: newest_s - rate[0] < RECENT_S, reversed(memory.rates))]
    return sum(rate[2] for rate in rates) / sum(rate[1] for rate in rates)


def _with_possible(proposal: Proposal, situation: Situation, why_not: str) -> Proposal:
    """The proposal with the switches that can be made; none on figures that can't be believed."""
    if not proposal.switches:
        return proposal
    if refused := switches.refusal(situation.spec):  # then one pod goes and another one comes
        note = f"no pod changes its role: {refused}"
        return replace(proposal, switches=(), notes=(*proposal.notes, note))
    kept = switches.possible(
        () if why_not else proposal.switches, situation.observation, situation.spec
    )
    dropped = Counter(proposal.switches) - Counter(kept)
    return replace(
        proposal, switches=kept, wishes=switches.without(proposal.wishes, [*dropped.elements()])
    )


def _heeded(proposal: Proposal) -> tuple[Clamp, ...]:
    """What a policy itself gave up to stay within bounds, ratio and budget."""
    return tuple(
        Clamp(limit="bounds", role=role, before=ideal, after=proposal.wishes[role], reason=HEEDED)
        for role, ideal in proposal.ideal.items()
        if ideal != proposal.wishes[role]
    )


def _decision(proposal: Proposal, targets: Pair, clamps: tuple[Clamp, ...], role: Role) -> Decision:
    own = tuple(clamp for clamp in clamps if clamp.role is role)
    bitten = [f"{clamp.limit} {clamp.before} -> {clamp.after}: {clamp.reason}" for clamp in own]
    return Decision(
        target=targets[role],
        unclamped=ideal(proposal)[role],
        reason="; ".join([proposal.reasons[role], *bitten]),
        clamps=own,
    )


def _reasons(proposal: Proposal, clamps: tuple[Clamp, ...]) -> tuple[str, ...]:
    """What was found, then each limit that bit, in their order."""
    bitten = (f"{c.role}: {c.limit} {c.before} -> {c.after}: {c.reason}" for c in clamps)
    return (*proposal.notes, *bitten)


def _prediction(memory: Memory, spec: FleetSpec, targets: Mapping[Role, int]) -> Prediction | None:
    """What the targets do with the arrivals of the last minute; None while nothing is known of them."""
    demand = recent(memory)
    if demand is None:
        return None
    return predict(demand, calibration.calibrated(spec, memory), targets)
