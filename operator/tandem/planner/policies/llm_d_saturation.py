"""`llm-d-saturation`: llm-d's default, tokens in and before engines against those that they hold.

    capacity of a replica = min(0.8 · KV, compute)        demand = KV in use + tokens queued
    missing = demand/0.85 − capacity, with pods that start      spare = capacity − demand/0.70

each role for itself: missing capacity is added, spare capacity taken, both at once and in whole replicas. A
queued request is its input for prefill, its input and output for decode, and counts for both. Compute is the
KV in use while five requests a replica wait (mean of the last ten such looks), before that
N · (I + O/2) with N = min(batch tokens · O/(I + O), batch cap).

Source: code, llm-d-workload-variant-autoscaler internal/engines/analyzers/saturation_v2/analyzer.go
(01bfe940) and its multi-analyzer pipeline. Aggressiveness: `threshold`, 0.85 there; the lower boundary keeps
its proportion. Left out: variants of a model, for there is one here, and the cost-aware choice between them;
the window of a scale-down, which llm-d leaves to HPA or KEDA, is 300 s, their default.
Fails where prefill is the bottleneck: its KV is nearly empty until requests queue; KV says nothing of TPOT.
"""

from collections.abc import Iterable, Mapping
from math import ceil, floor
from types import MappingProxyType

from tandem.api.role import Role
from tandem.perf.engine_profile import EngineProfile
from tandem.planner.demand import LengthMix, from_cells
from tandem.planner.model import Memory
from tandem.planner.observation import Missing, Observation, PodCounts
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
from tandem.planner.spec import FleetSpec

KV_SHARE = 0.8  # kvCacheThreshold
QUEUE = 5.0  # queueLengthThreshold, requests a replica
KEPT = 10  # RollingAverageWindowSize
DOWN = 0.70 / 0.85  # scaleDownBoundary over scaleUpThreshold
DOWN_S = 300.0
ROUNDING = 1e-9
PARAMETERS = MappingProxyType(
    {
        "threshold": Parameter(
            default=0.85, least=0.05, most=1.0, meaning="share of capacity that demand may fill"
        )
    }
)


def decide(observation: Observation, memory: Memory, spec: FleetSpec) -> Proposal:
    """Each role by the tokens that it holds."""
    lengths = from_cells(memory.cells)
    if lengths is None:
        return held(observation, "llm-d-saturation: no request has finished yet")
    wishes, reasons = {}, {}
    facts: dict[str, float] = {}
    for role in Role:
        seen_before = _seen(memory.facts, role) | _saturated(observation, spec, role)
        latest = dict(sorted(seen_before.items())[-KEPT:])
        facts |= {f"full-{role}.{time_s}": tokens for time_s, tokens in latest.items()}
        wishes[role], reasons[role] = _wish(observation, spec, lengths, role, latest)
    return Proposal(wishes=wishes, reasons=reasons, facts=facts, hold_s=DOWN_S)


def _wish(
    observation: Observation,
    spec: FleetSpec,
    lengths: LengthMix,
    role: Role,
    full: Mapping[float, float],
) -> tuple[int, str]:
    in_use = seen.kv_tokens(observation, spec, role)
    if isinstance(in_use, Missing):
        return current(observation, role), f"llm-d-saturation: held, {in_use.reason}"
    waiting = seen.queue_tokens(observation, spec)
    if role is Role.DECODE:
        waiting += seen.queue(observation, spec) * lengths.mean_output
    holds = capacity(spec.roles[role].profile, lengths, role)
    if full:
        holds = min(
            holds_kv(spec.roles[role].profile), full.get(observation.now_s, _mean(full.values()))
        )
    pods = observation.pods.get(role, PodCounts())
    wish = scaled(pods, (in_use + waiting) / holds, parameter(spec, PARAMETERS, "threshold"))
    return wish, f"llm-d-saturation: {in_use + waiting:.0f} tokens, {holds:.0f} a replica"


def scaled(pods: PodCounts, demand: float, threshold: float) -> int:
    """Replicas for a demand in replicas' capacities."""
    missing = demand / threshold - (pods.ready + pods.starting)
    spare = pods.ready - demand / (threshold * DOWN)
    if missing > 0:
        return pods.desired + ceil(missing - ROUNDING)
    return pods.desired - max(0, floor(spare + ROUNDING))


def holds_kv(profile: EngineProfile) -> float:
    """Tokens that memory alone lets a replica hold."""
    return KV_SHARE * profile.kv.capacity_tokens


def capacity(profile: EngineProfile, lengths: LengthMix, role: Role) -> float:
    """Tokens that a replica holds at most before it was seen full; prefill ends at the first token."""
    inputs = lengths.mean_input
    outputs = 1.0 if role is Role.PREFILL else lengths.mean_output
    most = min(profile.batch_tokens * outputs / (inputs + outputs), profile.batch_cap)
    return min(holds_kv(profile), most * (inputs + outputs / 2))


def _saturated(observation: Observation, spec: FleetSpec, role: Role) -> dict[float, float]:
    """Tokens that a replica holds now, if so many requests wait that it can't hold more."""
    ready, in_use = seen.ready(observation, role), seen.kv_tokens(observation, spec, role)
    if isinstance(in_use, Missing) or not ready or in_use <= 0:
        return {}
    waiting = seen.queued(observation, spec, role) / ready
    return {observation.now_s: in_use / ready} if waiting >= QUEUE else {}


def _seen(facts: Mapping[str, float], role: Role) -> dict[float, float]:
    name = f"full-{role}."
    return {float(key.removeprefix(name)): v for key, v in facts.items() if key.startswith(name)}


def _mean(values: Iterable[float]) -> float:
    every = list(values)
    return sum(every) / len(every)


POLICY = Policy(
    decide=decide,
    source="llm-d workload-variant-autoscaler, internal/engines/analyzers/saturation_v2/analyzer.go",
    provenance=Provenance.CODE,
    reconstructed=("window of a scale-down: 300 s, the default of HPA, to which llm-d leaves it",),
    aggressiveness=Aggressiveness(
        parameter="threshold", sweep=(1.0, 0.92, 0.85, 0.7, 0.5, 0.3, 0.15)
    ),
    fails_where="prefill that is the bottleneck, its KV being nearly empty, and TPOT before KV is full",
    parameters=PARAMETERS,
)
