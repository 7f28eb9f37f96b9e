"""`splitwise`: pods with a home role and a mixed pool, into which the other role's are borrowed.

Where even the least loaded prompt pod has more than 8192 tokens pending, a token pod is borrowed; where the
KV of every token pod is full, a prompt pod; a pod goes home when what it was borrowed for is gone.

Source: code, Mutinifni/splitwise-sim scheduler.py, MixedPoolScheduler (ISCA'24). Aggressiveness: `headroom`, for
pods in all; there they are provisioned by simulating clusters.
Left out: mixed batches: a borrowed pod serves both roles at once there, here it has changed its role until
it goes home; and what happens when nobody is left to borrow from. One pod is borrowed or returned a look.
Fails on bursts shorter than a pod takes to drain, and where TPOT is lost before KV is full.
"""

from types import MappingProxyType

from tandem.api.role import Role
from tandem.planner.model import Memory
from tandem.planner.observation import Observation
from tandem.planner.policies import pool, seen, velocity
from tandem.planner.policies.pool import TO_DECODE, TO_PREFILL
from tandem.planner.policies.proposal import Policy, Proposal, Provenance, current, held
from tandem.planner.region import Pair
from tandem.planner.spec import FleetSpec
from tandem.planner.switches import Switch

MOST_PENDING = 8192.0  # prompt_max_pending_batch_tokens
PARAMETERS = MappingProxyType({"headroom": pool.HEADROOM})


def decide(observation: Observation, memory: Memory, spec: FleetSpec) -> Proposal:
    """Pods in all by the load, at home or borrowed."""
    found = pool.sized(memory, spec, PARAMETERS)
    if found is None:
        return held(observation, velocity.UNKNOWN)
    now = pool.resized({role: current(observation, role) for role in Role}, found)
    home = pool.balanced(found.pods, found.loads)
    waiting = seen.queued_tokens(observation, spec, Role.PREFILL)
    pending = waiting / max(1, seen.ready(observation, Role.PREFILL))
    is_full = seen.queued(observation, spec, Role.DECODE) > 0
    why = f"splitwise: {pending:.0f} tokens pending a prompt pod, home {home[Role.PREFILL]} prompt pods"
    return pool.proposal(
        observation, found, moved(now, home, pending_tokens=pending, is_full=is_full), why
    )


def moved(now: Pair, home: Pair, *, pending_tokens: float, is_full: bool) -> tuple[Switch, ...]:
    """The pod that is borrowed or sent home at this look, if any."""
    if pending_tokens > MOST_PENDING:
        return (TO_PREFILL,)
    if is_full:
        return (TO_DECODE,)
    lent = now[Role.PREFILL] - home[Role.PREFILL]
    if lent > 0 and pending_tokens > 0:
        return ()  # what they were borrowed for is not done
    return pool.towards(now, home, most=1)


POLICY = Policy(
    decide=decide,
    source="Mutinifni/splitwise-sim, scheduler.py, MixedPoolScheduler",
    provenance=Provenance.CODE,
    reconstructed=(
        "home: the split whose busier role is least busy at full batches",
        "a full token pod: requests wait at the gateway for decode",
        *pool.OURS,
    ),
    aggressiveness=pool.SWEEP,
    fails_where="bursts shorter than a pod takes to drain, and TPOT that is lost before KV is full",
    parameters=PARAMETERS,
)
