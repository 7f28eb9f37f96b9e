"""`dopd-code`: what DOPD's repository does, which is not what its ratio says.

    prefill = ceil(R)        decode = ceil(N / C)

R and C as of `dopd`. R is prefill replicas for each decode replica, but used as their number; N counts the
requests of an interval of 180 s, but is used as if they were there at once.

Source: code, DOPD's fork of NVIDIA Dynamo (planner_core.py). Aggressiveness: `headroom`, a factor to N; the
code has none. Left out: ARIMA and Prophet, for which the last interval stands; its correction of ITL by the
observed one; the proportional cut to its own GPU budget, which the fleet's budget does here.
Fails where load is not what R happens to be for: prefill does not follow it, and decode follows the length
of an interval.
"""

from types import MappingProxyType

from tandem.api.role import Role
from tandem.planner.model import Memory
from tandem.planner.observation import Observation
from tandem.planner.policies import dopd, velocity
from tandem.planner.policies.proposal import (
    Aggressiveness,
    Policy,
    Proposal,
    Provenance,
    held,
    parameter,
)
from tandem.planner.spec import FleetSpec

PARAMETERS = MappingProxyType(dict(dopd.PARAMETERS))


def decide(observation: Observation, memory: Memory, spec: FleetSpec) -> Proposal:
    """The ratio as a number, and a number of requests as a concurrency."""
    interval_s = parameter(spec, PARAMETERS, "interval_s")
    demand = velocity.recent(memory, interval_s)
    if demand is None:
        return held(observation, velocity.UNKNOWN)
    found = dopd.balance(demand.lengths, spec)
    requests = demand.rate_rps * interval_s * parameter(spec, PARAMETERS, "headroom")
    return Proposal(
        wishes={
            Role.PREFILL: max(1, velocity.replicas(found.ratio)),
            Role.DECODE: max(1, velocity.replicas(requests / found.concurrency)),
        },
        reasons={
            Role.PREFILL: f"dopd-code: a ratio of {found.ratio:.2f}, taken as a number",
            Role.DECODE: f"dopd-code: {requests:.0f} requests an interval, {found.concurrency} fit",
        },
    )


POLICY = Policy(
    decide=decide,
    source="DOPD, arXiv 2511.20982, its repository's planner_core.py",
    provenance=Provenance.CODE,
    reconstructed=("forecast: the last interval instead of ARIMA or Prophet",),
    aggressiveness=Aggressiveness(parameter="headroom", sweep=(0.3, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0)),
    fails_where="any load other than the one for which its ratio happens to be the number needed",
    parameters=PARAMETERS,
)
