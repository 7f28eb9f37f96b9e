"""A pool of pods that change their role: for rules that share out pods and do not say how many there are.

The number that such a source takes as given is here what the busiest five minutes of the last hour ask for,
each role at its velocity, times `headroom`; that is swept. A pod more goes to the role with the most load a
pod, one fewer leaves the other. Which role a pod has is then the rule's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tandem.api.role import Role
from tandem.planner import switches
from tandem.planner.demand import Demand, LengthMix, from_cells
from tandem.planner.history import History
from tandem.planner.model import Memory
from tandem.planner.observation import Observation
from tandem.planner.policies import velocity
from tandem.planner.policies.proposal import Aggressiveness, Parameter, Proposal, current, parameter
from tandem.planner.region import Pair
from tandem.planner.spec import FleetSpec
from tandem.planner.switches import Switch

BUSY_S = 300.0
STEP_S = 60.0
TO_PREFILL: Switch = (Role.DECODE, Role.PREFILL)
TO_DECODE: Switch = (Role.PREFILL, Role.DECODE)
HEADROOM = Parameter(
    default=1.3, least=0.5, most=10.0, meaning="pods, times those that the busiest minutes fill"
)
SWEEP = Aggressiveness(parameter="headroom", sweep=(1.0, 1.15, 1.3, 1.5, 1.8, 2.3, 3.0))
OURS = (
    "pods in all: those that the busiest five minutes of the last hour fill, times 1.3",
    "pods change their role one after the other: none while another is on its way",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """How many pods there shall be, and what fills how many of each role at the busiest and of late."""

    pods: int
    loads: Mapping[Role, float]
    lengths: LengthMix


def sized(memory: Memory, spec: FleetSpec, known: Mapping[str, Parameter]) -> Pool | None:
    """The pool, None while no arrivals or lengths are known."""
    lengths = from_cells(memory.cells)
    if lengths is None or not memory.rates:
        return None
    history = History.of(memory.rates)
    ends_s = np.arange(history.end_s, history.end_s - max(history.span_s, 1e-9), -STEP_S)
    rates = history.rates_rps(ends_s, BUSY_S)
    if not np.isfinite(rates).any():
        return None
    demand = Demand(rate_rps=float(np.nanmax(rates)), lengths=lengths)
    loads = {
        Role.PREFILL: velocity.prefill_load(demand, spec),
        Role.DECODE: velocity.decode_load(demand, spec),
    }
    most = sum(role.max_replicas for role in spec.roles.values())
    pods = velocity.replicas(parameter(spec, known, "headroom") * sum(loads.values()))
    return Pool(pods=max(min(pods, most), len(loads)), loads=loads, lengths=lengths)


def resized(now: Pair, pool: Pool) -> Pair:
    """So many pods as the pool has, each role keeping at least one."""
    pair = {role: max(1, count) for role, count in now.items()}
    while sum(pair.values()) < pool.pods:
        pair[max(Role, key=lambda role: pool.loads[role] / pair[role])] += 1
    while sum(pair.values()) > pool.pods:
        spare = [role for role in Role if pair[role] > 1]
        pair[min(spare, key=lambda role: pool.loads[role] / (pair[role] - 1))] -= 1
    return pair


def balanced(pods: int, loads: Mapping[Role, float]) -> Pair:
    """The split of so many pods whose busier role is least busy."""
    prefill, decode = loads[Role.PREFILL], loads[Role.DECODE]
    best = min(
        range(1, max(pods, 2)), key=lambda count: max(prefill / count, decode / (pods - count))
    )
    return {Role.PREFILL: best, Role.DECODE: pods - best}


def towards(now: Pair, wanted: Pair, most: int | None = None) -> tuple[Switch, ...]:
    """Switches from one split to another of as many pods, at most so many."""
    more = wanted[Role.PREFILL] - now[Role.PREFILL]
    moves = abs(more) if most is None else min(abs(more), most)
    return (TO_PREFILL if more > 0 else TO_DECODE,) * moves


def is_moving(observation: Observation) -> bool:
    """Whether a pod is on its way to its role: what it will do there is not seen yet."""
    return any(pods.ready < pods.desired for pods in observation.pods.values())


def proposal(
    observation: Observation,
    pool: Pool,
    moves: Sequence[Switch],
    why: str,
    facts: Mapping[str, float] | None = None,
) -> Proposal:
    """Pods come or go until there are as many as the pool has, and some change their role.

    None does while another is on its way: else rules move more before they see what the first one did (half
    an hour of Azure's conversation trace, one seed: EPD, Splitwise, Arrow attained less for more GPU-hours).
    """
    pair = resized({role: current(observation, role) for role in Role}, pool)
    if is_moving(observation):
        moves = ()
    made = [move for number, move in enumerate(moves) if pair[move[0]] > 1 + number]
    back = [(target, source) for source, target in made]
    reason = f"{why}; {pool.pods} pods in all"
    return Proposal(
        wishes=switches.without(pair, back),
        reasons=dict.fromkeys(Role, reason),
        facts=facts or {},
        switches=tuple(made),
    )
