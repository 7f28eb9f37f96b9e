"""Rebalance: a role that has pods to spare gives them to the one that is short, instead of one stop and one start.

A start takes a lead time, a switch seconds. So a role that would be given more takes what the other one
would stop, before any hold: the pod is not gone, and comes back as fast. The giver keeps what the present
asks of it: as many as serve the last minute's arrivals alone, with what queues and decodes now.

A pod stays in the role that it took on: none goes the other way for a hold, and the next one goes when the
last has been seen at work.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from tandem.api.role import Role
from tandem.planner import evidence, survivors, switches
from tandem.planner.model import Memory
from tandem.planner.observation import Observation, PodCounts
from tandem.planner.policies import state
from tandem.planner.policies.proposal import Proposal
from tandem.planner.queueing.stages import UNLIMITED
from tandem.planner.region import Pair
from tandem.planner.spec import FleetSpec
from tandem.planner.switches import Switch

SEEN_S = 30.0  # after a switch: it drains, becomes Ready, and is seen in figures
WAYS: tuple[Switch, ...] = ((Role.DECODE, Role.PREFILL), (Role.PREFILL, Role.DECODE))
Serves = Callable[[Role, int], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """When pods last changed their role, and whether to decode (1) or to prefill (0)."""

    at_s: float = -1e9
    to_decode: float = 0.0

    def allows(self, switch: Switch, now_s: float, hold_s: float) -> bool:
        """Whether pods may go that way so soon: the same way as the last ones, or after a hold."""
        is_back = (switch[1] is Role.DECODE) != bool(self.to_decode)
        return now_s - self.at_s >= (max(hold_s, SEEN_S) if is_back else SEEN_S)


def rebalanced(
    proposal: Proposal, observation: Observation, memory: Memory, spec: FleetSpec
) -> Proposal:
    """The proposal with the switches that save starts; its wishes hold afterwards as before.

    `spec` has the times of engines as they were learnt.
    """
    turn = state.recalled(Turn, "turn", memory.facts, Turn())
    made = _made(proposal, observation, memory, spec, turn)
    if made:
        to_decode = float(made[0][1] is Role.DECODE)
        turn = Turn(at_s=observation.now_s, to_decode=to_decode)
    return replace(proposal, switches=made, facts={**proposal.facts, **state.facts(turn=turn)})


def moves(pods: Mapping[Role, PodCounts], wishes: Pair, way: Switch, serves: Serves) -> int:
    """Pods that may go one way: what the taker would start, the giver would stop and can do without.

    `serves` tells whether so many pods of a role are enough for what is there now.
    """
    giver, taker = (pods.get(role, PodCounts()) for role in way)
    lacks = wishes[way[1]] - taker.desired
    spare = min(giver.desired - wishes[way[0]], giver.ready)
    count = 0
    while count < min(lacks, spare) and serves(way[0], giver.ready - count - 1):
        count += 1
    return count


def _made(
    proposal: Proposal, observation: Observation, memory: Memory, spec: FleetSpec, turn: Turn
) -> tuple[Switch, ...]:
    """Only one way has one role short and the other one long."""
    for way in WAYS:
        if not moves(observation.pods, proposal.wishes, way, _any):
            continue
        if not turn.allows(way, observation.now_s, proposal.hold_s) or switches.refusal(spec):
            continue
        serves = _serving(observation, memory, spec, proposal.goal)
        count = moves(observation.pods, proposal.wishes, way, serves)
        return switches.possible((way,) * count, observation, spec)
    return ()


def _any(role: Role, count: int) -> bool:  # noqa: ARG001 - asked of what costs nothing first
    return True


def _serving(observation: Observation, memory: Memory, spec: FleetSpec, goal: float) -> Serves:
    """Whether so many of a role alone serve what comes, queues and decodes now; none, while that is unknown."""
    present = survivors.present(observation, memory, spec)

    def serves(role: Role, count: int) -> bool:
        if present is None or count < max(present.needs[role], spec.roles[role].min_replicas, 1):
            return False
        if role is Role.PREFILL and not evidence.begins_in_time(
            observation, spec, present.tandem, count
        ):
            return False
        pair = {**dict.fromkeys(Role, UNLIMITED), role: count}
        return present.tandem.attainment(pair[Role.PREFILL], pair[Role.DECODE]) >= goal

    return serves
