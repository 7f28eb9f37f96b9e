"""`li-mm1`: throughput of a replica under the SLO, prefill as an M/M/1 queue, decode by benchmark.

    TP_P = TP_max − L_in/(TTFT − T_overhead)        N_P = λ·L_in/TP_P
    TP_D = tokens a second at the largest batch within TPOT        N_D = λ·L_out/TP_D

rounded to the nearest, as the paper's example does.

Source: secondary, Li et al. (arXiv 2603.04716) as two summaries tell it; the formula was derived again.
Aggressiveness: `headroom`, 1 in the paper. Not an autoscaler there: here it sizes for the last minutes.
Fails where a percentile counts: TTFT is a mean, each replica an isolated queue, service exponential, the
transfer of KV is not part of TTFT, and rounding down overloads.
"""

from types import MappingProxyType

from tandem.api.role import Role
from tandem.planner.demand import Demand
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

LEAST_SHARE = 0.05  # of TP_max that is left where TTFT is out of reach
PARAMETERS = MappingProxyType(
    {
        "headroom": Parameter(default=1.0, least=0.1, most=10.0, meaning="times the arrivals seen"),
        "window_s": Parameter(
            default=120.0, least=1.0, most=3600.0, meaning="over which arrivals are counted"
        ),
        "tp_max": Parameter(
            default=None, least=1.0, most=1e9, meaning="prefill tokens/s; default: as profiled"
        ),
        "tp_decode": Parameter(
            default=None, least=1.0, most=1e9, meaning="decode tokens/s; default: as profiled"
        ),
        "overhead_s": Parameter(
            default=0.0, least=0.0, most=60.0, meaning="of TTFT that is not prefill"
        ),
    }
)


def decide(observation: Observation, memory: Memory, spec: FleetSpec) -> Proposal:
    """Sized for the arrivals of the last minutes."""
    demand = velocity.recent(memory, parameter(spec, PARAMETERS, "window_s"))
    if demand is None:
        return held(observation, velocity.UNKNOWN)
    headroom = parameter(spec, PARAMETERS, "headroom")
    loads = {role: headroom * load for role, load in loads_of(demand, spec).items()}
    return Proposal(
        wishes={role: max(1, int(load + 0.5)) for role, load in loads.items()},
        reasons={role: f"li-mm1: {load:.2f} {role}, rounded" for role, load in loads.items()},
    )


def loads_of(demand: Demand, spec: FleetSpec) -> dict[Role, float]:
    """N_P and N_D before rounding."""
    rate_rps, lengths = demand.rate_rps, demand.lengths
    prefill, decode = (spec.roles[role].profile for role in (Role.PREFILL, Role.DECODE))
    profiled = velocity.prefill_tokens_per_s(prefill, lengths)
    most = spec.parameters.get("tp_max", profiled)
    slack_s = spec.slo.ttft_s - parameter(spec, PARAMETERS, "overhead_s")
    under_slo = most - lengths.mean_new / slack_s if slack_s > 0 else 0.0
    tp_decode = spec.parameters.get(
        "tp_decode", velocity.decode_tokens_per_s(decode, lengths, spec.slo.tpot_s)
    )
    return {
        Role.PREFILL: rate_rps * lengths.mean_new / max(under_slo, LEAST_SHARE * most),
        Role.DECODE: rate_rps * lengths.mean_output / tp_decode,
    }


POLICY = Policy(
    decide=decide,
    source="Li et al., arXiv 2603.04716, as two summaries tell it",
    provenance=Provenance.SECONDARY,
    reconstructed=(
        "window over which arrivals are counted: 120 s",
        "at most a twentieth of the prefill throughput where TTFT is out of reach",
    ),
    aggressiveness=Aggressiveness(parameter="headroom", sweep=(0.9, 1.0, 1.15, 1.3, 1.6, 2.0, 3.0)),
    fails_where="percentiles: it meets a mean TTFT, and rounding to the nearest may overload",
    parameters=PARAMETERS,
    instead_of_profile=("tp_max", "tp_decode"),
)
