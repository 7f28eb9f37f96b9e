"""`llm-d-tokens`: llm-d's guide to scaling on tokens of outstanding work, with KEDA.

    prefill = ceil(uncached tokens in flight / V_P / threshold)     threshold = TTFT − uncached input/V_P
    decode  = ceil(Σ KV in use / 0.8)

V_P: prefill tokens a second of a replica, calibrated at its chunk of tokens. The first quotient is the
seconds of work that one replica would have; the threshold is the wait that TTFT leaves. HPA carries it out:
nothing within 10 %, down after 300 s.

Source: code, llm-d guides/workload-autoscaling, token-aware autoscaling (llm-d/llm-d #2466), experimental
there and after TokenScale. Aggressiveness: `share`, a factor to both thresholds, 1 there.
V_P is read off the engine profile (the guide: 15 928 tokens/s of Qwen3-32B on two H100, 33 821 of
gpt-oss-120b on H200; 2 696 measured through a slow KV fabric).
Fails at an even load: it needs a queue of a whole threshold in front of each replica to ask for that
replica, so TTFT is at its target by design; and decode waits for KV, not for TPOT.
"""

from math import ceil
from types import MappingProxyType

from tandem.api.role import Role
from tandem.planner.demand import LengthMix, from_cells
from tandem.planner.model import Memory
from tandem.planner.observation import Missing, Observation
from tandem.planner.policies import hpa, seen, velocity
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

KV_SHARE = 0.8
LEAST_WAIT = 0.05  # of TTFT, where one prompt alone takes all of it
PARAMETERS = MappingProxyType(
    {"share": Parameter(default=1.0, least=0.01, most=2.0, meaning="times the guide's thresholds")}
)


def decide(observation: Observation, memory: Memory, spec: FleetSpec) -> Proposal:
    """Prefill by seconds of work in flight, decode by KV."""
    lengths = from_cells(memory.cells)
    if lengths is None:
        return held(observation, "llm-d-tokens: no request has finished yet")
    loads = {
        Role.PREFILL: _prefill(observation, spec, lengths),
        Role.DECODE: _decode(observation, spec),
    }
    return Proposal(
        wishes={role: _wish(current(observation, role), load) for role, load in loads.items()},
        reasons={
            role: f"llm-d-tokens: held, {load.reason}"
            if isinstance(load, Missing)
            else f"llm-d-tokens: {load:.2f} thresholds of work for {role}"
            for role, load in loads.items()
        },
        hold_s=hpa.DOWN_S,
    )


def _wish(now: int, load: float | Missing) -> int:
    if isinstance(load, Missing) or (now and abs(load / now - 1) <= hpa.TOLERANCE):
        return now
    return ceil(load - velocity.ROUNDING)


def _prefill(observation: Observation, spec: FleetSpec, lengths: LengthMix) -> float | Missing:
    running = seen.running(observation, spec, Role.PREFILL)
    if isinstance(running, Missing):
        return running
    tokens = seen.queued_tokens(observation, spec, Role.PREFILL) + running * lengths.mean_new
    tokens_per_s = velocity.prefill_tokens_per_s(spec.roles[Role.PREFILL].profile, lengths)
    share = parameter(spec, PARAMETERS, "share")
    return backlog(tokens, tokens_per_s, lengths.mean_new, spec.slo.ttft_s, share)


def backlog(
    tokens: float, tokens_per_s: float, input_tokens: float, ttft_s: float, share: float = 1.0
) -> float:
    """Thresholds of work that so many tokens are."""
    threshold_s = max(ttft_s - input_tokens / tokens_per_s, LEAST_WAIT * ttft_s)
    return tokens / tokens_per_s / (threshold_s * share)


def _decode(observation: Observation, spec: FleetSpec) -> float | Missing:
    tokens = seen.kv_tokens(observation, spec, Role.DECODE)
    if isinstance(tokens, Missing):
        return tokens
    capacity = spec.roles[Role.DECODE].profile.kv.capacity_tokens
    return tokens / capacity / (KV_SHARE * parameter(spec, PARAMETERS, "share"))


POLICY = Policy(
    decide=decide,
    source="llm-d, guides/workload-autoscaling, token-aware autoscaling (llm-d/llm-d #2466)",
    provenance=Provenance.CODE,
    reconstructed=(
        "V_P: of the engine profile at the lengths seen, instead of a calibration",
        "least threshold: a twentieth of TTFT where one prompt alone takes all of it",
    ),
    aggressiveness=Aggressiveness(parameter="share", sweep=(1.2, 1.0, 0.8, 0.6, 0.4, 0.2, 0.1)),
    fails_where="even loads, for it asks for a replica only once its work queues, and tight TPOT targets",
    parameters=PARAMETERS,
)
