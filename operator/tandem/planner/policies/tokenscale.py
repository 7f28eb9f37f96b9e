"""`tokenscale`: tokens that come in against tokens that a replica takes, each stage by its own velocity.

    prefill = ceil(λ_in / min(V_P, V_N))        decode = ceil(Σ_b λ_b / V_D,b)

V_P: input tokens a second of a prefill replica. V_N: tokens whose KV a link moves. V_D,b: tokens that a
decode replica releases, by 3 x 3 buckets of input and output length: λ_b and V_D,b count input and output,
as KV is freed for both. With B requests of (I, O) in steps of τ, V_D = B(I + O)/(O·τ). Scaling down is
immediate. A replica counts as full at its velocity (ρ = 1).

Source: secondary, TokenScale (arXiv 2512.03416) as two summaries and a re-implementation tell it.
Aggressiveness: `headroom`, 1 in the paper.
Left out: the output-length predictor (lengths are those of requests that ended lately), and prefill on
convertible decoders, which is routing: here their number is only the least decode replicas.
Fails where arrivals are not smooth: full replicas queue, every lull takes pods away that the next burst
must start anew, and cached prefixes count as work.
"""

from types import MappingProxyType

import numpy as np

from tandem.api.role import Role
from tandem.perf.engine_profile import EngineProfile
from tandem.planner.demand import Demand, mix
from tandem.planner.model import Memory
from tandem.planner.observation import Observation
from tandem.planner.policies import velocity
from tandem.planner.policies.proposal import (
    Aggressiveness,
    Parameter,
    Policy,
    Proposal,
    Provenance,
    held,
    parameter,
)
from tandem.planner.spec import FleetSpec

INPUT_EDGES = (256.0, 1024.0)  # those of the paper's TTFT targets: 250, 400 and 2000 ms
OUTPUT_EDGES = (128.0, 512.0)
PARAMETERS = MappingProxyType(
    {
        "headroom": Parameter(default=1.0, least=0.1, most=10.0, meaning="times the tokens seen"),
        "window_s": Parameter(
            default=60.0, least=1.0, most=3600.0, meaning="over which arrivals are counted"
        ),
        "convertible": Parameter(
            default=0.0, least=0, most=1000, meaning="decode replicas kept for bursts of prefill"
        ),
    }
)


def decide(observation: Observation, memory: Memory, spec: FleetSpec) -> Proposal:
    """Each stage by its velocity."""
    demand = velocity.recent(memory, parameter(spec, PARAMETERS, "window_s"))
    if demand is None:
        return held(observation, velocity.UNKNOWN)
    headroom = parameter(spec, PARAMETERS, "headroom")
    prefill = _prefill(demand, spec.roles[Role.PREFILL].profile)
    decode = _decode(demand, spec.roles[Role.DECODE].profile, spec.slo.tpot_s)
    kept = int(parameter(spec, PARAMETERS, "convertible"))
    said = f"tokenscale: {demand.rate_rps:.3g} requests/s fill"
    return Proposal(
        wishes={
            Role.PREFILL: velocity.replicas(prefill * headroom),
            Role.DECODE: max(kept, velocity.replicas(decode * headroom)),
        },
        reasons={
            Role.PREFILL: f"{said} {prefill:.2f} prefill",
            Role.DECODE: f"{said} {decode:.2f} decode",
        },
    )


def _prefill(demand: Demand, profile: EngineProfile) -> float:
    """λ_in / min(V_P, V_N): no prefix cache is known, so whole prompts count and V_P is of whole prompts."""
    lengths = demand.lengths
    whole = mix(lengths.input_tokens, [0.0], lengths.output_tokens, lengths.weights)
    slower = min(velocity.prefill_tokens_per_s(profile, whole), velocity.link_tokens_per_s(profile))
    return demand.rate_rps * lengths.mean_input / slower


def _decode(demand: Demand, profile: EngineProfile, tpot_s: float) -> float:
    """Σ λ_b / V_D,b over the buckets that there are."""
    lengths = demand.lengths
    column = np.digitize(lengths.input_tokens, INPUT_EDGES)
    bucket = column * (len(OUTPUT_EDGES) + 1) + np.digitize(lengths.output_tokens, OUTPUT_EDGES)
    total = 0.0
    for each in np.unique(bucket):
        inside, share = lengths.where(bucket == each)
        tokens_per_s = velocity.decode_tokens_per_s(profile, inside, tpot_s)
        released_rps = tokens_per_s / inside.mean_output  # V_D,b and λ_b both are I + O times this
        total += demand.rate_rps * share / released_rps
    return total


POLICY = Policy(
    decide=decide,
    source="TokenScale, arXiv 2512.03416, as summaries and a re-implementation tell it",
    provenance=Provenance.SECONDARY,
    reconstructed=(
        "edges of the output buckets: 128 and 512 tokens",
        "window over which arriving tokens are counted: 60 s",
        "velocities: from the engine profile, decode at the largest batch within the TPOT target",
        "output lengths: of requests that ended lately instead of a predictor",
        "convertible decoders: only their number, prefill is not sent to them",
    ),
    aggressiveness=Aggressiveness(parameter="headroom", sweep=(0.9, 1.0, 1.15, 1.3, 1.6, 2.0, 3.0)),
    fails_where="bursts and lulls shorter than a cold start, and prompts that are mostly cached",
    parameters=PARAMETERS,
)
