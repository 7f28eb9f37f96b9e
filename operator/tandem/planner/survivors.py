"""Survivors: fewer pods only where those that stay serve what is there now: the last minute's rate, residents and queue."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from tandem.api.role import Role
from tandem.planner import evidence
from tandem.planner import placement as placements
from tandem.planner.calibration import calibrated
from tandem.planner.demand import arrival_ca2
from tandem.planner.model import Memory
from tandem.planner.observation import Observation
from tandem.planner.policies import velocity
from tandem.planner.queueing.tandem import Tandem
from tandem.planner.region import Pair
from tandem.planner.situation import Limited, Situation
from tandem.planner.spec import FleetSpec
from tandem.planner.words import share

PRESENT_S = 60.0  # of arrivals, that those who stay must serve


@dataclass(frozen=True, slots=True)
class Present:
    """The last minute's arrivals through the queues, and what is needed for what is there already."""

    tandem: Tandem
    needs: Pair


def survivors(situation: Situation, targets: Pair) -> Limited:
    """Fewer only if those that stay meet the policy's goal now: the last minute's rate, residents and queue."""
    now = situation.current
    fewer = [role for role in Role if targets[role] < now[role]]
    if not (fewer and situation.goal):
        return Limited(targets)
    spec = calibrated(situation.spec, situation.memory)
    found = present(situation.observation, situation.memory, spec)
    if found is None:
        return Limited(targets)
    needs = {role: min(need, now[role]) for role, need in found.needs.items()}
    attained = partial(placements.attainment, found.tandem, spec)
    kept: tuple[tuple[Role, ...], ...] = ((), *((role,) for role in fewer), tuple(fewer))
    for stay in kept:
        pair = {**targets, **{role: now[role] for role in stay}}
        if _survives(pair, needs, attained, situation.goal) or stay == tuple(fewer):
            return Limited(
                pair, f"fewer would not serve {share(situation.goal)} of what comes now in time"
            )
    return Limited(targets)


def present(observation: Observation, memory: Memory, spec: FleetSpec) -> Present | None:
    """The present as those who stay would meet it; None while no arrivals or lengths are known.

    `spec` has the times of engines as they were learnt.
    """
    demand = velocity.recent(memory, PRESENT_S)
    if demand is None:
        return None
    uneven = replace(demand, arrival_ca2=arrival_ca2(memory.dispersion))
    tandem = Tandem(uneven, spec)
    needs = {
        Role.PREFILL: evidence.backlog(observation, spec, tandem).replicas,
        Role.DECODE: evidence.residents(observation, spec, tandem).replicas,
    }
    return Present(tandem=tandem, needs=needs)


def _survives(pair: Pair, needs: Pair, attained: Callable[[Pair], float], goal: float) -> bool:
    if any(pair[role] < need for role, need in needs.items()):
        return False
    return attained(pair) >= goal
