"""`explained`: why a plan is as it is, worked out again from what the plan was made from. Pure.

`plan` pays nothing for it and keeps nothing for it: it is a pure function, so its three arguments tell
all. Whoever wants an explanation holds on to them (they are there anyway, as one reference each) and asks
when a person does, or once in a while: it takes as long as some fifteen plans. What was decided can't differ
from what is explained, for both walk the same `plan.course`.
"""

from collections.abc import Iterator
from dataclasses import replace
from math import isfinite

from tandem.api.role import Role
from tandem.planner import calibration, known, outlook
from tandem.planner.demand import Demand
from tandem.planner.explanation import (
    Explanation,
    Limit,
    Outlook,
    Release,
    State,
    Target,
    WhatIf,
    figures,
)
from tandem.planner.limits import limited, window
from tandem.planner.model import Clamp, Memory
from tandem.planner.observation import Figure, Observation, PodCounts
from tandem.planner.plan import HEEDED, Course, course, ideal, recent, recent_rps
from tandem.planner.queueing.tandem import Tandem
from tandem.planner.region import Pair
from tandem.planner.sizing import Sizing, size
from tandem.planner.spec import FleetSpec
from tandem.planner.what_if import Question, what_if

BARELY_S = 1e-3  # after a moment


def explained(observation: Observation, memory: Memory, spec: FleetSpec) -> Explanation:
    """Why `plan` answers to the same arguments as it does; `memory` is the one from before the look."""
    found = course(observation, memory, spec)
    demand = recent(found.situation.memory)
    ready = {role: observation.pods.get(role, PodCounts()).ready for role in Role}
    seen = None
    if demand is not None:
        seen = Tandem(demand, calibration.calibrated(spec, found.situation.memory))
    return Explanation(
        at_s=round(observation.now_s, 3) if isfinite(observation.now_s) else None,
        policy=spec.policy,
        slo=_target(spec),
        before=found.situation.current,
        inputs=tuple(known.inputs(observation, spec)),
        state=known.state(found),
        wish=found.wish,
        reasons=dict(found.proposal.reasons),
        notes=found.proposal.notes,
        limits=tuple(_limits(found.wish, found.clamps)),
        result=dict(found.targets),
        paused=spec.paused,
        outlook=Outlook(
            result=None if seen is None else outlook.predicted(seen, found.targets),
            ready=None if seen is None else outlook.predicted(seen, ready),
            observed=outlook.observed(observation, spec),
        ),
        stages=tuple(outlook.stages(seen, found.targets)) if seen is not None else (),
        runner_up=found.proposal.runner_up,
        what_if=_what_if(found, observation, memory, spec),
    )


def of_sizing(demand: Demand, spec: FleetSpec, sizing: Sizing) -> Explanation:
    """Why a one-shot `size` answers to the same demand and fleet as it does."""
    clamps = tuple(
        Clamp(limit="bounds", role=role, before=before, after=after, reason=HEEDED)
        for role, before in sizing.ideal.items()
        if (after := sizing.replicas[role]) != before
    )

    def asked(growth: float, fleet: FleetSpec) -> Sizing:
        return size(replace(demand, rate_rps=demand.rate_rps * growth), fleet)

    question = Question(
        spec=spec,
        rate_rps=demand.rate_rps,
        before=None,
        wish=lambda growth, fleet: asked(growth, fleet).ideal,
        result=lambda fleet: asked(1.0, fleet).replicas,
    )
    return Explanation(
        policy=spec.policy,
        slo=_target(spec),
        state=_at_rest(demand),
        wish=dict(sizing.ideal),
        notes=sizing.reasons,
        limits=tuple(_limits(sizing.ideal, clamps)),
        result=dict(sizing.replicas),
        stages=tuple(outlook.stages_of(sizing)),
        outlook=Outlook(result=outlook.told(sizing.prediction)),
        runner_up=sizing.runner_up,
        what_if=what_if(question, sizing.ideal, sizing.replicas),
    )


def of_rule(
    demand: Demand,
    spec: FleetSpec,
    replicas: Pair,
    notes: tuple[str, ...],
    *,
    is_profiled: bool,
) -> Explanation:
    """What is known of the pair that another rule settles on; its outlook only of an engine that is known."""
    tandem = Tandem(demand, spec) if is_profiled else None
    return Explanation(
        policy=spec.policy,
        slo=_target(spec),
        state=_at_rest(demand),
        wish=dict(replicas),
        notes=notes,
        result=dict(replicas),
        stages=() if tandem is None else tuple(outlook.stages(tandem, replicas)),
        outlook=Outlook(result=None if tandem is None else outlook.predicted(tandem, replicas)),
    )


def _at_rest(demand: Demand) -> State:
    return State(
        rate_rps=figures(demand.rate_rps),
        dispersion=figures(demand.arrival_ca2),
        lengths=known.lengths(demand.lengths),
    )


def _what_if(found: Course, observation: Observation, memory: Memory, spec: FleetSpec) -> WhatIf:
    """As the policy would have answered to another load, SLO or limit; nothing moves a fleet that is held."""
    if found.why_not:
        return WhatIf()
    now = found.situation.memory

    def wish(growth: float, fleet: FleetSpec) -> Pair:
        seen, remembered = _grown(observation, now, growth)
        facts = found.policy.grown(now.facts, growth)
        return ideal(found.policy.decide(seen, replace(remembered, facts=facts), fleet))

    question = Question(
        spec=spec,
        rate_rps=recent_rps(now) or 0.0,
        before=found.situation.current,
        wish=wish,
        result=lambda fleet: course(observation, memory, fleet).targets,
    )
    return replace(what_if(question, found.wish, found.targets), release=_release(found))


def _grown(observation: Observation, memory: Memory, growth: float) -> tuple[Observation, Memory]:
    """What a policy would have been shown if all arrivals had been so many times as many, all else alike."""
    rates, work = (
        tuple((at_s, for_s, came * growth) for at_s, for_s, came in rows)
        for rows in (memory.rates, memory.work)
    )
    traffic = observation.traffic
    if isinstance(traffic.arrivals, Figure):
        came = replace(traffic.arrivals, value=traffic.arrivals.value * growth)
        traffic = replace(traffic, arrivals=came)
    return replace(observation, traffic=traffic), replace(memory, rates=rates, work=work)


def _release(found: Course) -> Release | None:
    """When the first of the higher wishes that hold a role up is forgotten so far that the result falls."""
    if not any(clamp.limit == "scaleDownWindow" for clamp in found.clamps):
        return None
    situation, wishes = found.situation, found.proposal.wishes
    now_s, span_s = situation.observation.now_s, window(situation.spec, situation.hold_s)
    held_s = {time_s for row in situation.memory.wishes.values() for time_s, _ in row}
    started_s = situation.memory.started_s
    for time_s in sorted({*held_s, now_s if started_s is None else started_s}):
        then_s = time_s + span_s + BARELY_S
        later = replace(situation, observation=replace(situation.observation, now_s=then_s))
        targets, _ = limited(later, wishes)
        if then_s > now_s and any(targets[role] < found.targets[role] for role in Role):
            return Release(after_s=round(then_s - now_s, 1), replicas=targets)
    return None


def _target(spec: FleetSpec) -> Target:
    slo = spec.slo
    return Target(ttft_s=slo.ttft_s, tpot_s=slo.tpot_s, attainment=slo.attainment)


def _limits(wish: Pair, clamps: tuple[Clamp, ...]) -> Iterator[Limit]:
    """The pair on its way through the limits that bit."""
    pair = dict(wish)
    for name in dict.fromkeys(clamp.limit for clamp in clamps):
        before, own = dict(pair), [clamp for clamp in clamps if clamp.limit == name]
        pair |= {clamp.role: clamp.after for clamp in own}
        yield Limit(limit=name, before=before, after=dict(pair), reason=own[0].reason)
