"""Situation: what a limit may look at, what it answers, and whether figures can be gone by at all."""

from collections.abc import Callable
from dataclasses import dataclass

from tandem.api.fallback import OnStale
from tandem.api.role import Role
from tandem.planner.model import Memory
from tandem.planner.observation import Missing, Observation
from tandem.planner.policies.proposal import current
from tandem.planner.readings import MOST_INTERVAL_S, MOST_RATE_RPS, usable
from tandem.planner.region import Pair
from tandem.planner.spec import FleetSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What a limit may look at; `hold_s`, `goal` and `needs_traffic` are the policy's."""

    observation: Observation
    memory: Memory
    spec: FleetSpec
    hold_s: float = 0.0
    goal: float = 0.0
    needs_traffic: bool = True

    @property
    def current(self) -> Pair:
        """Replicas that are asked for now."""
        return {role: current(self.observation, role) for role in Role}


@dataclass(frozen=True, slots=True)
class Limited:
    """Targets after a limit, and why it changed them."""

    targets: Pair
    reason: str = ""


Limit = Callable[[Situation, Pair], Limited]


def unknown(situation: Situation) -> str:
    """Why arrivals are missing, stale or impossible; empty where they are known or not needed."""
    arrivals = usable(
        situation.observation.traffic.arrivals,
        MOST_RATE_RPS * MOST_INTERVAL_S,
        situation.spec.behavior.stale_after_s,
    )
    if not (situation.needs_traffic and isinstance(arrivals, Missing)):
        return ""
    return f"arrivals are unknown: {arrivals.reason}"


def is_stale(memory: Memory, now_s: float, stale_after_s: float) -> bool:
    """Whether arrivals have been unknown for as long as a figure may be old."""
    return memory.unknown_s is not None and now_s - memory.unknown_s >= stale_after_s


def asks_for_most(situation: Situation) -> bool:
    """Whether the fleet wants its most by now, since nothing is known of arrivals."""
    spec, now_s = situation.spec, situation.observation.now_s
    is_long = is_stale(situation.memory, now_s, spec.behavior.stale_after_s)
    return spec.on_stale is OnStale.MAX and is_long and bool(unknown(situation))
