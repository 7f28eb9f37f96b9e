"""`dopd`: decode by the load, prefill at the ratio that lets both finish as many requests.

    C = KV of a replica / (I + O/2)      R = C · TTFT(I) / (O · ITL(C, I + O/2))
    decode = ceil(λ · O · ITL / C)       prefill = ceil(R · decode)

One decode replica finishes C/(O·ITL) requests a second, one prefill replica 1/TTFT. C is in whole blocks.

Source: DOPD (arXiv 2511.20982): its abstract and, for the ratio, its code; its own listing was not seen, and the
code counts otherwise (`dopd-code`). Aggressiveness: `headroom`, 1 in the paper.
Left out: ARIMA and Prophet, for which the last interval stands, and its length-aware scheduling of requests.
Fails where TPOT is tight: a decode replica is taken to be filled to its KV, whatever its step is then;
and at percentiles, as lengths are means and no replica is ever idle.
"""

from dataclasses import dataclass
from types import MappingProxyType

from tandem.api.role import Role
from tandem.planner.demand import Demand, LengthMix
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

PARAMETERS = MappingProxyType(
    {
        "headroom": Parameter(default=1.0, least=0.1, most=10.0, meaning="times the load seen"),
        "interval_s": Parameter(
            default=180.0, least=1.0, most=3600.0, meaning="over which the load is taken"
        ),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """C of the formulas, requests a second of a full decode replica, and prefill replicas for each."""

    concurrency: int
    decode_rps: float
    ratio: float


def decide(observation: Observation, memory: Memory, spec: FleetSpec) -> Proposal:
    """Decode by the load, prefill at the ratio."""
    demand = velocity.recent(memory, parameter(spec, PARAMETERS, "interval_s"))
    if demand is None:
        return held(observation, velocity.UNKNOWN)
    found = balance(demand.lengths, spec)
    decodes = replicas(demand, found, parameter(spec, PARAMETERS, "headroom"))
    return Proposal(
        wishes={Role.PREFILL: velocity.replicas(found.ratio * decodes), Role.DECODE: decodes},
        reasons={
            Role.PREFILL: f"dopd: {found.ratio:.2f} per decode",
            Role.DECODE: f"dopd: {demand.rate_rps:.3g} requests/s, {found.decode_rps:.3g} a replica",
        },
    )


def replicas(demand: Demand, found: Balance, headroom: float) -> int:
    """Decode replicas that finish what comes."""
    return velocity.replicas(headroom * demand.rate_rps / found.decode_rps)


def balance(lengths: LengthMix, spec: FleetSpec) -> Balance:
    """The ratio at mean lengths."""
    prefill, decode = (spec.roles[role].profile for role in (Role.PREFILL, Role.DECODE))
    inputs, outputs = lengths.mean_input, lengths.mean_output
    context = inputs + outputs / 2
    blocks = decode.kv.capacity_tokens // decode.kv.block_tokens
    concurrency = max(1, blocks // decode.kv.blocks(round(context)))
    itl_s = decode.decode.step_s(concurrency, concurrency * context)
    decode_rps = concurrency / (outputs * itl_s)
    ratio = decode_rps * prefill.prefill_s(max(1, round(inputs)))
    return Balance(concurrency=concurrency, decode_rps=decode_rps, ratio=ratio)


POLICY = Policy(
    decide=decide,
    source="DOPD, arXiv 2511.20982, its abstract and the ratio of its code",
    provenance=Provenance.RECONSTRUCTED,
    reconstructed=(
        "counts: decode by the load over its throughput, prefill at the ratio to it",
        "forecast: the last interval instead of ARIMA or Prophet",
        "interval: 180 s, that of its code, looked at all the time",
    ),
    aggressiveness=Aggressiveness(parameter="headroom", sweep=(0.9, 1.0, 1.15, 1.3, 1.6, 2.0, 3.0)),
    fails_where="tight TPOT targets, as decode is filled to its KV, and percentiles",
    parameters=PARAMETERS,
)
