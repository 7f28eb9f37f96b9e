"""`pd-serve`: as many pods of each stage as let both finish as many requests, out of those there are.

    max over p + d = n of min(p · b_p/T_p, d · b_d/T_d)

the throughput of the slower stage, a stage being as fast as its pods' full batches; pods change their role
when lengths have moved the best ratio.

Source: P/D-Serve (Huawei, arXiv 2408.08147), its abstract and what others tell; the equation is as it is
remembered, the paper's text was not seen. Aggressiveness: `headroom`, for pods in all.
Left out: groups for each scenario (one kind of traffic here), and its gateway, which offers a prompt again
until a prefill takes it: that is one queue at the gateway, which every policy has here.
Fails where one stage needs head-room and the other does not: balance at full batches leaves no wait to either.
"""

from types import MappingProxyType

from tandem.api.role import Role
from tandem.planner.model import Memory
from tandem.planner.observation import Observation
from tandem.planner.policies import pool, velocity
from tandem.planner.policies.proposal import Policy, Proposal, Provenance, current, held
from tandem.planner.spec import FleetSpec

PARAMETERS = MappingProxyType({"headroom": pool.HEADROOM})


def decide(observation: Observation, memory: Memory, spec: FleetSpec) -> Proposal:
    """Pods in all by the load, their roles by the balance of stages."""
    found = pool.sized(memory, spec, PARAMETERS)
    if found is None:
        return held(observation, velocity.UNKNOWN)
    now = pool.resized({role: current(observation, role) for role in Role}, found)
    best = pool.balanced(found.pods, found.loads)
    why = f"pd-serve: stages are balanced at {best[Role.PREFILL]} to {best[Role.DECODE]}"
    return pool.proposal(observation, found, pool.towards(now, best), why)


POLICY = Policy(
    decide=decide,
    source="P/D-Serve, arXiv 2408.08147, its abstract and what others tell",
    provenance=Provenance.RECONSTRUCTED,
    reconstructed=(
        "equation: throughput of the slower stage, as remembered",
        "capability of a stage: full batches, decode's within TPOT, at mean lengths",
        *pool.OURS,
    ),
    aggressiveness=pool.SWEEP,
    fails_where="stages that need unlike head-room: balance is of throughput, not of waits",
    parameters=PARAMETERS,
)
