"""`dynamo-load`: NVIDIA Dynamo's reactive loop, one replica more or fewer by queue and KV use.

    prefill   queued tokens of a replica / context length >= up: +1, all < down: -1
    decode    KV in use or queued / capacity > up: +1, all < down: -1

with 1.0 and 0.1 for prefill and 1.0 and 0.6 for decode: Dynamo's `throughput` target, its default. Nothing
moves while a role has not the pods that it was told to have, and none goes if the load of the others, times
N/(N-1), would ask for it again.

Source: code, ai-dynamo 1.6.1, planner/core/load_scaling.py. Aggressiveness: `thresholds`, a factor to all four
(its `latency` target is about 0.1 of prefill's and 0.4 of decode's; its `load` target leaves them to the user).
Left out: single engines (queue and KV use are means here), so "any" and "all" are the same. What Dynamo
queues at a decode engine waits at the gateway here: a queue that waits for decode moves no prefill, and
means that KV in use and queued is over 100 %.
Fails where load grows faster than one replica per cold start, and where TPOT is lost before KV is full.
"""

from types import MappingProxyType

from tandem.api.role import Role
from tandem.planner import evidence
from tandem.planner.model import Memory
from tandem.planner.observation import Missing, Observation
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
from tandem.planner.readings import MOST_SHARE, MOST_TOKENS, usable
from tandem.planner.spec import FleetSpec

THRESHOLDS = {Role.PREFILL: (1.0, 0.1), Role.DECODE: (1.0, 0.6)}  # up and down
OVER = 1.01  # of a decode engine for which requests wait
PARAMETERS = MappingProxyType(
    {
        "thresholds": Parameter(
            default=1.0, least=0.001, most=1.0, meaning="times those of Dynamo's throughput target"
        ),
        "context_tokens": Parameter(
            default=16_384.0, least=1.0, most=1e7, meaning="longest context of the model"
        ),
    }
)


def decide(observation: Observation, memory: Memory, spec: FleetSpec) -> Proposal:  # noqa: ARG001
    """One more, one fewer, or as it is."""
    for role in Role:
        pods = observation.pods[role]
        if pods.ready != pods.desired:
            return held(
                observation, f"dynamo-load: {pods.ready} of {pods.desired} {role} are ready"
            )
    uses = {role: _use(observation, spec, role) for role in Role}
    wishes = {role: _wish(observation, spec, role, uses[role]) for role in Role}
    return Proposal(wishes=wishes, reasons={role: _reason(role, uses[role]) for role in Role})


def _wish(observation: Observation, spec: FleetSpec, role: Role, use: float | Missing) -> int:
    now = current(observation, role)
    if isinstance(use, Missing):
        return now
    factor = parameter(spec, PARAMETERS, "thresholds")
    up, down = (factor * threshold for threshold in THRESHOLDS[role])
    if use > up or (role is Role.PREFILL and use == up):
        return now + 1
    fits = now > 1 and use * now / (now - 1) < up  # the others would not ask for it again
    return now - 1 if use < down and fits else now


def _use(observation: Observation, spec: FleetSpec, role: Role) -> float | Missing:
    """Queue of a prefill replica in contexts, or a decode replica's KV in use and queued, as a share."""
    traffic, stale_s = observation.traffic, spec.behavior.stale_after_s
    queued = usable(traffic.queued_tokens, MOST_TOKENS, stale_s)
    full = queued != 0.0 and evidence.waits_for_decode(observation, spec)
    if role is Role.DECODE:
        used = usable(traffic.kv_usage.get(role), MOST_SHARE, stale_s)
        return max(used, OVER) if full and not isinstance(used, Missing) else used
    if full:
        return Missing("the queue waits for decode")
    if isinstance(queued, Missing):
        return queued
    context_tokens = parameter(spec, PARAMETERS, "context_tokens")
    return queued / max(1, observation.pods[role].ready) / context_tokens


def _reason(role: Role, use: float | Missing) -> str:
    if isinstance(use, Missing):
        return f"dynamo-load: held, {use.reason}"
    return f"dynamo-load: {use:.2f} " + (
        "contexts queued" if role is Role.PREFILL else "of KV used"
    )


POLICY = Policy(
    decide=decide,
    source="ai-dynamo 1.6.1, dynamo/planner/core/load_scaling.py",
    provenance=Provenance.CODE,
    reconstructed=(
        "KV that waits for decode is not observed: over 100 % where the gateway's queue waits for it",
        "context length: 16384 tokens, as in Dynamo's own H200 example",
    ),
    aggressiveness=Aggressiveness(
        parameter="thresholds", sweep=(1.0, 0.7, 0.5, 0.35, 0.2, 0.1, 0.05)
    ),
    fails_where="load that grows by more than a replica per cold start; TPOT lost before KV is full",
    parameters=PARAMETERS,
)
