"""`mooncake`: a fixed ratio of prefill to decode, changed only when the load has swung far from it.

Source: paper, Mooncake (Qin et al., FAST'25): its authors keep the ratio in production and change roles on
large fluctuations only; of 16 nodes 8 and 8 were best on their trace, of all from 5 and 11 to 11 and 5.
When a swing is large is not told: here, when the best ratio has been over `swing` times the one in force, or
under its inverse, for five minutes; then that is in force. Aggressiveness: `headroom`, for pods in all.
Left out: what Mooncake is known for: its KV store, the copies of hot prefixes, and admission: a request
whose TTFT or TBT is predicted to be missed is refused there.
Fails on mixes that move within the swing: the ratio stands still, and one role is short.
"""

from dataclasses import dataclass
from types import MappingProxyType

from tandem.api.role import Role
from tandem.planner.model import Memory
from tandem.planner.observation import Observation
from tandem.planner.policies import pool, state, velocity
from tandem.planner.policies.proposal import (
    Parameter,
    Policy,
    Proposal,
    Provenance,
    current,
    held,
    parameter,
)
from tandem.planner.region import Pair
from tandem.planner.spec import FleetSpec

LASTING_S = 300.0
PARAMETERS = MappingProxyType(
    {
        "headroom": pool.HEADROOM,
        "ratio": Parameter(
            default=None, least=0.01, most=100.0, meaning="prefill per decode; default: as profiled"
        ),
        "swing": Parameter(
            default=2.0, least=1.0, most=100.0, meaning="times the ratio that is far from it"
        ),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """In force, and since when the best one has not been far from it."""

    prefill_per_decode: float
    near_s: float


def decide(observation: Observation, memory: Memory, spec: FleetSpec) -> Proposal:
    """Pods in all by the load, their roles by the ratio in force."""
    found = pool.sized(memory, spec, PARAMETERS)
    if found is None:
        return held(observation, velocity.UNKNOWN)
    best = found.loads[Role.PREFILL] / found.loads[Role.DECODE]
    ratio = _ratio(observation.now_s, memory, spec, best)
    now = pool.resized({role: current(observation, role) for role in Role}, found)
    wanted = split(found.pods, ratio.prefill_per_decode)
    why = (
        f"mooncake: {ratio.prefill_per_decode:.2f} prefill per decode in force, {best:.2f} is best"
    )
    return pool.proposal(
        observation, found, pool.towards(now, wanted), why, state.facts(ratio=ratio)
    )


def split(pods: int, ratio: float) -> Pair:
    """The split of so many pods that is nearest to a ratio, each role having one at least."""
    prefill = min(max(1, round(pods * ratio / (1 + ratio))), pods - 1)
    return {Role.PREFILL: prefill, Role.DECODE: pods - prefill}


def _ratio(now_s: float, memory: Memory, spec: FleetSpec, best: float) -> Ratio:
    """The ratio in force now; the best one takes its place after five minutes far from it.

    In a fleet's first minutes the best one is in force: those that end first are short.
    """
    first = Ratio(prefill_per_decode=spec.parameters.get("ratio", best), near_s=now_s)
    before = state.recalled(Ratio, "ratio", memory.facts, first)
    started_s = now_s if memory.started_s is None else memory.started_s
    if now_s - started_s < LASTING_S:
        return first
    swing = parameter(spec, PARAMETERS, "swing")
    if 1 / swing <= best / before.prefill_per_decode <= swing:
        return Ratio(prefill_per_decode=before.prefill_per_decode, near_s=now_s)
    if now_s - before.near_s < LASTING_S:
        return before
    return Ratio(prefill_per_decode=best, near_s=now_s)


POLICY = Policy(
    decide=decide,
    source="Mooncake, FAST'25",
    provenance=Provenance.PAPER,
    reconstructed=(
        "large swing: the best ratio is over 2 times the one in force, or under half of it, for 300 s",
        "ratio at first: the best at full batches, of the lengths of the first five minutes",
        *pool.OURS,
    ),
    aggressiveness=pool.SWEEP,
    fails_where="mixes that move within the swing, and loads that ask for admission rather than roles",
    parameters=PARAMETERS,
)
