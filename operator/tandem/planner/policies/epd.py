"""`epd`: the stage with the longest queue takes a pod of the stage with most to spare.

Every 5 s: to the stage with the most requests queued; not at all if every stage has at least half as many;
from the stage with most pods above one, of those with fewer queued.

Source: code, vbdi/epdserve (ICML'25) epdserve/resource_allocation.py, ResourceAllocatorRuntime.
Aggressiveness: `headroom`, for pods in all; the paper has eight.
Left out: the encode stage (a fleet has two roles), and its other planner, which replays the last hundred
requests for every split of eight pods.
Fails at light load: a single request queued moves a pod, and back with the next; and a stage that is slow
without a queue, as decode is, never gets one.
"""

from collections.abc import Hashable, Mapping
from types import MappingProxyType
from typing import TypeVar

from tandem.api.role import Role
from tandem.planner.model import Memory
from tandem.planner.observation import Observation
from tandem.planner.policies import pool, seen, velocity
from tandem.planner.policies.proposal import Policy, Proposal, Provenance, held
from tandem.planner.spec import FleetSpec

Stage = TypeVar("Stage", bound=Hashable)
LOOP_S = 5.0  # RESOURCE_ALLOCATOR_EVENT_LOOP
PARAMETERS = MappingProxyType({"headroom": pool.HEADROOM})


def decide(observation: Observation, memory: Memory, spec: FleetSpec) -> Proposal:
    """Pods in all by the load, one at a time to the longest queue."""
    found = pool.sized(memory, spec, PARAMETERS)
    if found is None:
        return held(observation, velocity.UNKNOWN)
    moved_s = memory.facts.get("moved_s", -LOOP_S)
    queues = {role: seen.queued(observation, spec, role) for role in Role}
    pods = {role: seen.ready(observation, role) for role in Role}
    is_due = observation.now_s - moved_s >= LOOP_S and not pool.is_moving(observation)
    switch = moved(queues, pods) if is_due else None
    why = f"epd: {queues[Role.PREFILL]:.0f} wait for prefill, {queues[Role.DECODE]:.0f} for decode"
    facts = {"moved_s": observation.now_s if switch else moved_s}
    return pool.proposal(observation, found, [switch] if switch else [], why, facts)


def moved(queues: Mapping[Stage, float], pods: Mapping[Stage, int]) -> tuple[Stage, Stage] | None:
    """The stages from and to which a pod moves, if any does."""
    longest = max(queues, key=lambda stage: queues[stage])
    most = queues[longest]
    if all(queue >= most / 2 for queue in queues.values()):
        return None
    spare = [s for s in queues if s != longest and queues[s] < most and pods[s] > 1]
    return (max(spare, key=lambda stage: pods[stage]), longest) if spare else None


POLICY = Policy(
    decide=decide,
    source="vbdi/epdserve, epdserve/resource_allocation.py",
    provenance=Provenance.CODE,
    reconstructed=(*pool.OURS, "queue of decode: the gateway's where decode is full"),
    aggressiveness=pool.SWEEP,
    fails_where="light load, where one request queued moves a pod, and decode that is slow but not full",
    parameters=PARAMETERS,
)
