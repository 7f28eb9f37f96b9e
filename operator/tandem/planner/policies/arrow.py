"""`arrow`: stateless pods whose role is a label: flipped by the load of either role.

    L_P = seconds of prefill a pod has / TTFT        L_D = mean time between tokens / TPOT

To decode: L_D >= 1, or L_P <= 0.5 <= L_D, for three looks on end. To prefill: L_P >= 1 while L_D < 1, for then
no prefill pod would make the TTFT of one more prompt. 10 s between two flips; no role is left empty.

Source: secondary, Arrow (v2 of November 2025) as Narwhal, an independent implementation, tells it; the
thresholds are Narwhal's. Aggressiveness: `headroom`, for pods in all.
Left out: flips for a single request (a look decides here), and the choice of pod by cost, which is routing.
Fails where the load is steady: a well-sized fixed split ties or wins (Narwhal's own study), and flips
drain pods for nothing.
"""

from dataclasses import dataclass
from types import MappingProxyType

from tandem.api.role import Role
from tandem.planner.model import Memory
from tandem.planner.observation import Missing, Observation
from tandem.planner.policies import pool, seen, state, velocity
from tandem.planner.policies.pool import TO_DECODE, TO_PREFILL, Pool
from tandem.planner.policies.proposal import Policy, Proposal, Provenance, held
from tandem.planner.spec import FleetSpec
from tandem.planner.switches import Switch

EXPAND, SHRINK = 1.0, 0.5
LOOKS = 3  # on end
COOLDOWN_S = 10.0
PARAMETERS = MappingProxyType({"headroom": pool.HEADROOM})


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """L_P and L_D."""

    prefill: float
    decode: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Flips:
    """Looks on end that asked for decode, and when a pod was last flipped."""

    asked: float = 0.0
    at_s: float = -1e9


def decide(observation: Observation, memory: Memory, spec: FleetSpec) -> Proposal:
    """Pods in all by the load, one flip at a time."""
    found = pool.sized(memory, spec, PARAMETERS)
    if found is None:
        return held(observation, velocity.UNKNOWN)
    load = _load(observation, spec, found)
    before = state.recalled(Flips, "flips", memory.facts, Flips())
    moves: list[Switch] = []
    if isinstance(load, Missing):
        why, after = f"arrow: no flip, {load.reason}", before
    elif pool.is_moving(observation):
        why, after = "arrow: a pod is on its way", before
    else:
        why = f"arrow: loads {load.prefill:.2f} of prefill, {load.decode:.2f} of decode"
        switch, after = flipped(load, before, observation.now_s)
        moves = [switch] if switch else []
    return pool.proposal(observation, found, moves, why, state.facts(flips=after))


def flipped(load: Load, before: Flips, now_s: float) -> tuple[Switch | None, Flips]:
    """The flip of this look, if any, and what is remembered of it."""
    wants_decode = load.decode >= EXPAND or load.prefill <= SHRINK <= load.decode
    asked = before.asked + 1 if wants_decode else 0.0
    if now_s - before.at_s < COOLDOWN_S:
        return None, Flips(asked=asked, at_s=before.at_s)
    if load.prefill >= EXPAND > load.decode:
        return TO_PREFILL, Flips(at_s=now_s)
    if asked >= LOOKS:
        return TO_DECODE, Flips(at_s=now_s)
    return None, Flips(asked=asked, at_s=before.at_s)


def _load(observation: Observation, spec: FleetSpec, found: Pool) -> Load | Missing:
    work_s = seen.prefill_seconds(observation, spec, found.lengths)
    itl_s = seen.itl_s(observation, spec, found.lengths)
    if isinstance(work_s, Missing):
        return work_s
    if isinstance(itl_s, Missing):
        return itl_s
    pods = max(1, seen.ready(observation, Role.PREFILL))
    return Load(prefill=work_s / pods / spec.slo.ttft_s, decode=itl_s / spec.slo.tpot_s)


POLICY = Policy(
    decide=decide,
    source="Arrow, v2 of November 2025, as Narwhal implements it",
    provenance=Provenance.SECONDARY,
    reconstructed=(
        "thresholds 1.0 and 0.5, three looks, 10 s: Narwhal's, not the paper's",
        "decode load that lets a pod go: under 1.0",
        *pool.OURS,
    ),
    aggressiveness=pool.SWEEP,
    fails_where="steady load, where a fixed split ties or wins and each flip drains a pod",
    parameters=PARAMETERS,
)
