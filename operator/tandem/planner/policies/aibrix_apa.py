"""`aibrix-apa`: AIBrix's application-specific pod autoscaler, HPA with tolerances both ways and a pace.

    wish = ceil(replicas · use/target)    over target · 1.1 at most 2 times the replicas,
                                          under target · 0.9 at least half of them

The window of a scale-down is 300 s, there is none upward. Roles are scaled each for itself.

Source: code, vllm-project/aibrix pkg/controller/podautoscaler/algorithm/apa.go. Aggressiveness: `target`.
What is measured is the user's choice there. Here it is what TokenScale gave it: prefill's concurrency (its
queue among it, one prompt filling a replica) and decode's KV, both at 0.7.
Fails where a metric is flat until it is a cliff: KV says nothing of TPOT, and concurrency nothing of length.
"""

from dataclasses import dataclass
from math import ceil, floor
from types import MappingProxyType

from tandem.api.role import Role
from tandem.planner.demand import LengthMix, from_cells
from tandem.planner.model import Memory
from tandem.planner.observation import Missing, Observation
from tandem.planner.policies import seen
from tandem.planner.policies.proposal import (
    Aggressiveness,
    Parameter,
    Policy,
    Proposal,
    Provenance,
    current,
    held,
    parameter,
)
from tandem.planner.queueing import decode
from tandem.planner.spec import FleetSpec

DOWN_S = 300.0
ROUNDING = 1e-9  # exactly on a tolerance changes nothing
PARAMETERS = MappingProxyType(
    {
        "target": Parameter(
            default=0.7, least=0.01, most=1.0, meaning="prompts a prefill replica, share of KV"
        )
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Tolerances as shares of the target, and most times more and fewer at a look."""

    up_tolerance: float = 0.1
    down_tolerance: float = 0.1
    up: float = 2.0
    down: float = 2.0


def decide(observation: Observation, memory: Memory, spec: FleetSpec) -> Proposal:
    """Each role by its own metric."""
    lengths = from_cells(memory.cells)
    if lengths is None:
        return held(observation, "aibrix-apa: no request has finished yet")
    target = parameter(spec, PARAMETERS, "target")
    wishes, reasons = {}, {}
    for role in Role:
        now, use = current(observation, role), _use(observation, spec, lengths, role)
        if isinstance(use, Missing):
            wishes[role], reasons[role] = now, f"aibrix-apa: held, {use.reason}"
        else:
            wishes[role] = scaled(now, use / target)
            reasons[role] = f"aibrix-apa: {use:.2f} a replica, {target:.2f} wanted"
    return Proposal(wishes=wishes, reasons=reasons, hold_s=DOWN_S)


def scaled(replicas: int, ratio: float, pace: Pace = Pace()) -> int:
    """Replicas for use over target."""
    wanted = ceil(replicas * ratio - ROUNDING)
    if ratio > 1 + pace.up_tolerance + ROUNDING:
        return min(wanted, ceil(pace.up * replicas))
    if ratio < 1 - pace.down_tolerance - ROUNDING:
        return max(wanted, floor(replicas / pace.down))
    return replicas


def _use(
    observation: Observation, spec: FleetSpec, lengths: LengthMix, role: Role
) -> float | Missing:
    """Prompts in and before a prefill replica, or KV in use and waited for, of a decode replica."""
    queued, ready = seen.queued(observation, spec, role), max(1, seen.ready(observation, role))
    if role is Role.PREFILL:
        running = seen.running(observation, spec, role)
        return running if isinstance(running, Missing) else (running + queued) / ready
    held_tokens = seen.kv_tokens(observation, spec, role)
    if isinstance(held_tokens, Missing):
        return held_tokens
    profile = spec.roles[role].profile
    waiting = queued * decode.work(profile, lengths).context_tokens
    return (held_tokens + waiting) / ready / profile.kv.capacity_tokens


POLICY = Policy(
    decide=decide,
    source="vllm-project/aibrix, pkg/controller/podautoscaler/algorithm/apa.go",
    provenance=Provenance.CODE,
    reconstructed=(
        "metrics and target: prefill's concurrency and decode's KV at 0.7, as TokenScale set it up",
    ),
    aggressiveness=Aggressiveness(parameter="target", sweep=(1.0, 0.85, 0.7, 0.5, 0.35, 0.2, 0.1)),
    fails_where="TPOT that is lost long before KV is full, and prompts of unlike length",
    parameters=PARAMETERS,
)
