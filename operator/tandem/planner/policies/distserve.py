"""`distserve`: the rate R over the goodput of one replica, each phase for itself.

    prefill = ceil(R/g_P)        decode = ceil(R/g_D)

Prefill is M/D/1 with service D: TTFT = D + g·D²/(2(1 − g·D)) is the target at g_P = 2w/(D(D + 2w)), with
w = TTFT − D. Decode: g_D requests a second at the largest batch within TPOT.

Source: paper, DistServe (arXiv 2401.09670, OSDI'24), section 3 and algorithm 1; TokenScale runs
it as such an autoscaler on requests per second. Aggressiveness: `headroom`, 1 in the paper.
Left out: the search for goodput by simulation at an attainment target, which the formula stands for, and
the choice of parallelism, which a fleet's profile fixes.
Fails where lengths vary (service is no constant) or arrivals burst; a mean TTFT is no percentile.
"""

from math import inf
from types import MappingProxyType

from tandem.api.role import Role
from tandem.planner.demand import LengthMix
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
from tandem.planner.queueing import prefill
from tandem.planner.spec import FleetSpec

LEAST_USE = 0.05  # of a prefill replica, where one prompt alone takes the whole TTFT
PARAMETERS = MappingProxyType(
    {
        "headroom": Parameter(default=1.0, least=0.1, most=10.0, meaning="times the rate seen"),
        "window_s": Parameter(
            default=300.0, least=1.0, most=3600.0, meaning="over which the rate is taken"
        ),
    }
)


def decide(observation: Observation, memory: Memory, spec: FleetSpec) -> Proposal:
    """The rate over the goodput of each role's replica."""
    demand = velocity.recent(memory, parameter(spec, PARAMETERS, "window_s"))
    if demand is None:
        return held(observation, velocity.UNKNOWN)
    rate_rps = demand.rate_rps * parameter(spec, PARAMETERS, "headroom")
    goodput = goodput_rps(demand.lengths, spec)
    return Proposal(
        wishes={role: velocity.replicas(rate_rps / each) for role, each in goodput.items()},
        reasons={
            role: f"distserve: {rate_rps:.3g} requests/s, {each:.3g} a replica"
            for role, each in goodput.items()
        },
    )


def goodput_rps(lengths: LengthMix, spec: FleetSpec) -> dict[Role, float]:
    """g_P and g_D."""
    profiles = {role: spec.roles[role].profile for role in Role}
    service_s = prefill.work(profiles[Role.PREFILL], lengths).mean_s
    tokens_per_s = velocity.decode_tokens_per_s(profiles[Role.DECODE], lengths, spec.slo.tpot_s)
    return {
        Role.PREFILL: md1_rate_rps(service_s, spec.slo.ttft_s),
        Role.DECODE: tokens_per_s / lengths.mean_output,
    }


def md1_rate_rps(service_s: float, ttft_s: float) -> float:
    """The rate at which M/D/1 has a mean sojourn of `ttft_s`."""
    wait_s = ttft_s - service_s
    met = 2 * wait_s / (service_s * (service_s + 2 * wait_s)) if wait_s > 0 else 0.0
    return max(met, LEAST_USE / service_s)


def md1_ttft_s(service_s: float, rate_rps: float) -> float:
    """Mean sojourn of M/D/1 (DistServe, equation 1); infinite when overloaded."""
    use = rate_rps * service_s
    return service_s + rate_rps * service_s**2 / (2 * (1 - use)) if use < 1 else inf


POLICY = Policy(
    decide=decide,
    source="DistServe, OSDI'24, arXiv 2401.09670, section 3 and algorithm 1",
    provenance=Provenance.PAPER,
    reconstructed=(
        "window over which the rate is taken: 300 s",
        "goodput by the formula of section 3 instead of a simulation at an attainment target",
    ),
    aggressiveness=Aggressiveness(parameter="headroom", sweep=(0.9, 1.0, 1.15, 1.3, 1.6, 2.0, 3.0)),
    fails_where="lengths that vary and arrivals that burst: a mean TTFT is no percentile",
    parameters=PARAMETERS,
)
