"""Limits: what may become of a wish, one rule after the other, each with its reason.

The order is the meaning. First whether to move at all, then how fast, then where to: the later a rule
stands the harder it is, and from `min` on each keeps what those before it promised, so that a plan ends
within bounds, ratio and budget whatever came before.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

from tandem.api.fallback import OnStale
from tandem.api.role import Role
from tandem.planner import evidence, region, schedules
from tandem.planner import placement as placements
from tandem.planner.calibration import calibrated
from tandem.planner.demand import MOST_ARRIVAL_CA2
from tandem.planner.model import Clamp, Memory
from tandem.planner.observation import Missing, Observation, PodCounts
from tandem.planner.policies import velocity
from tandem.planner.policies.proposal import current
from tandem.planner.queueing.tandem import Tandem
from tandem.planner.readings import MOST_INTERVAL_S, MOST_RATE_RPS, usable
from tandem.planner.region import Pair, Region
from tandem.planner.spec import Budget, FleetSpec, RatioBounds
from tandem.planner.words import share

PRESENT_S = 60.0  # of arrivals, that those who stay must serve
Wishes = Mapping[Role, tuple[tuple[float, int], ...]]


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


@dataclass(frozen=True, slots=True)
class Present:
    """The last minute's arrivals through the queues, and what is needed for what is there already."""

    tandem: Tandem
    needs: Pair


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


def hold(situation: Situation, targets: Pair) -> Limited:
    """Nothing moves on figures that are missing, stale or impossible."""
    why = unknown(situation)
    return Limited(situation.current, why) if why else Limited(targets)


def on_stale(situation: Situation, targets: Pair) -> Limited:
    """The most instead, where the fleet asks for it, after a while."""
    if not _asks_for_most(situation):
        return Limited(targets)
    stale_after_s = situation.spec.behavior.stale_after_s
    return Limited(situation.spec.most, f"unknown for {stale_after_s:.0f} s and more")


def is_stale(memory: Memory, now_s: float, stale_after_s: float) -> bool:
    """Whether arrivals have been unknown for as long as a figure may be old."""
    return memory.unknown_s is not None and now_s - memory.unknown_s >= stale_after_s


def _asks_for_most(situation: Situation) -> bool:
    spec, now_s = situation.spec, situation.observation.now_s
    is_long = is_stale(situation.memory, now_s, spec.behavior.stale_after_s)
    return spec.on_stale is OnStale.MAX and is_long and bool(unknown(situation))


def up_step(situation: Situation, targets: Pair) -> Limited:
    """At most so many more at a time."""
    step = situation.spec.behavior.up_max_step
    capped = {role: min(targets[role], now + step) for role, now in situation.current.items()}
    return Limited(capped, f"at most {step} more at a time")


def down_window(situation: Situation, targets: Pair) -> Limited:
    """Fewer only if no wish of the window was for more."""
    window_s = window(situation.spec, situation.hold_s)
    wished = {role: _most_wished(situation, role, window_s) for role in Role}
    held = {
        role: max(targets[role], min(now, wished[role])) for role, now in situation.current.items()
    }
    return Limited(held, f"more were wished for within the last {window_s:.0f} s")


def down_step(situation: Situation, targets: Pair) -> Limited:
    """At most so many fewer at a time."""
    step = situation.spec.behavior.down_max_step
    slowed = {role: max(targets[role], now - step) for role, now in situation.current.items()}
    return Limited(slowed, f"at most {step} fewer at a time")


def survivors(situation: Situation, targets: Pair) -> Limited:
    """Fewer only if those that stay meet the policy's goal now: the last minute's rate, residents and queue."""
    now = situation.current
    fewer = [role for role in Role if targets[role] < now[role]]
    if not (fewer and situation.goal):
        return Limited(targets)
    spec = calibrated(situation.spec, situation.memory)
    found = present(situation.observation, situation.memory, spec)
    if found is None:
        return Limited(targets)
    needs = {role: min(need, now[role]) for role, need in found.needs.items()}
    attained = partial(placements.attainment, found.tandem, spec)
    kept: tuple[tuple[Role, ...], ...] = ((), *((role,) for role in fewer), tuple(fewer))
    for stay in kept:
        pair = {**targets, **{role: now[role] for role in stay}}
        if _survives(pair, needs, attained, situation.goal) or stay == tuple(fewer):
            return Limited(
                pair, f"fewer would not serve {share(situation.goal)} of what comes now in time"
            )
    return Limited(targets)


def present(observation: Observation, memory: Memory, spec: FleetSpec) -> Present | None:
    """The present as those who stay would meet it; None while no arrivals or lengths are known.

    `spec` has the times of engines as they were learnt.
    """
    demand = velocity.recent(memory, PRESENT_S)
    if demand is None:
        return None
    uneven = replace(demand, arrival_ca2=min(memory.dispersion, MOST_ARRIVAL_CA2))
    tandem = Tandem(uneven, spec)
    needs = {
        Role.PREFILL: evidence.backlog(observation, spec, tandem).replicas,
        Role.DECODE: evidence.residents(observation, spec, tandem).replicas,
    }
    return Present(tandem=tandem, needs=needs)


def _survives(pair: Pair, needs: Pair, attained: Callable[[Pair], float], goal: float) -> bool:
    if any(pair[role] < need for role, need in needs.items()):
        return False
    return attained(pair) >= goal


def minimum(situation: Situation, targets: Pair) -> Limited:
    """Never fewer than the role's minimum."""
    roles = situation.spec.roles
    raised = {role: max(target, roles[role].min_replicas) for role, target in targets.items()}
    return Limited(raised, "the role's minimum")


def schedule(situation: Situation, targets: Pair) -> Limited:
    """Never fewer than a schedule asks for at this time."""
    if not situation.spec.schedules:
        return Limited(targets)
    now_s, spec = situation.observation.now_s, situation.spec
    found = ((role, schedules.floor(spec, role, now_s, targets[role])) for role in Role)
    higher = {role: floor for role, floor in found if floor is not None}
    raised = {role: floor.replicas for role, floor in higher.items()}
    reasons = dict.fromkeys(floor.reason for floor in higher.values())
    return Limited({**targets, **raised}, " and ".join(reasons))


def maximum(situation: Situation, targets: Pair) -> Limited:
    """Never more than the role's maximum."""
    roles = situation.spec.roles
    cut = {role: min(target, roles[role].max_replicas) for role, target in targets.items()}
    return Limited(cut, "the role's maximum")


def ratio(situation: Situation, targets: Pair) -> Limited:
    """The nearest pair whose ratio is allowed: the short role is raised before the other is cut."""
    if situation.spec.ratio == RatioBounds():
        return Limited(targets)
    bounds = region.of(situation.spec)
    within = Region(bounds=bounds.bounds, ratio=bounds.ratio)
    return Limited(_nearest(within, targets), _ratio_text(situation.spec))


def placement(situation: Situation, targets: Pair) -> Limited:
    """The nearest pair that the domains hold, each pod whole in one of them."""
    if not situation.spec.domains:
        return Limited(targets)
    within = replace(region.of(situation.spec), purses=())
    return Limited(_nearest(within, targets), "what its domains can hold")


def budget(situation: Situation, targets: Pair) -> Limited:
    """The nearest pair that can be paid beside every pod that is not yet gone.

    Where pods on their way out leave room for no allowed pair at all, bounds come first: the nearest
    pair that can be paid once they are gone.
    """
    if situation.spec.budget == Budget():
        return Limited(targets)
    allowed = region.of(situation.spec)
    pods = {role: situation.observation.pods.get(role, PodCounts()) for role in Role}
    now = region.beside(
        allowed,
        alive={role: each.ready + each.starting for role, each in pods.items()},
        draining={role: each.draining for role, each in pods.items()},
    )
    reason = "the budget, which pods that start or drain count against"
    beside = now.nearest(targets)
    return Limited(_nearest(allowed, targets) if beside is None else beside, reason)


LIMITS: tuple[tuple[str, Limit], ...] = (
    ("hold", hold),  # first: what is not known moves nothing
    ("onStale", on_stale),  # ... unless it is asked to, at the pace of any other move
    ("scaleUpStep", up_step),
    (
        "scaleDownWindow",
        down_window,
    ),  # before the step, which else would walk down within the window
    ("scaleDownStep", down_step),
    ("survivors", survivors),  # asked of what would really go
    ("min", minimum),
    ("schedule", schedule),  # needs no figures, and no step holds up what was known long before
    ("max", maximum),
    ("ratio", ratio),  # within min and max
    ("placement", placement),  # within these
    ("budget", budget),  # last: money is the hardest, within all of the above
)


def limited(situation: Situation, wishes: Pair) -> tuple[Pair, tuple[Clamp, ...]]:
    """What the limits make of a wish, and each change on the way."""
    targets, clamps = dict(wishes), []
    for name, limit in LIMITS:
        outcome = limit(situation, targets)
        clamps += [
            Clamp(limit=name, role=role, before=before, after=after, reason=outcome.reason)
            for role, before in targets.items()
            if (after := outcome.targets[role]) != before
        ]
        targets = dict(outcome.targets)
    return targets, tuple(clamps)


def with_wishes(situation: Situation, wishes: Pair) -> Memory:
    """The memory with these wishes, less those that no longer matter to a maximum over the window.

    And since when arrivals have been unknown.
    """
    if _asks_for_most(situation):
        wishes = situation.spec.most  # figures that come back for a moment are no way down
    now_s, memory = situation.observation.now_s, situation.memory
    oldest_s = now_s - window(situation.spec, situation.hold_s)
    kept = {
        role: (
            *(
                (time_s, count)
                for time_s, count in memory.wishes.get(role, ())
                if count > wish and oldest_s <= time_s <= now_s
            ),
            (now_s, wish),
        )
        for role, wish in wishes.items()
    }
    since_s = now_s if memory.unknown_s is None else memory.unknown_s
    return replace(memory, wishes=kept, unknown_s=since_s if unknown(situation) else None)


def window(spec: FleetSpec, hold_s: float) -> float:
    """Seconds that a lower wish must stand: the fleet's own or the policy's, the longer."""
    return max(spec.behavior.down_window_s, hold_s)


def _most_wished(situation: Situation, role: Role, window_s: float) -> int:
    """The highest wish of the window; before a whole one has passed, what there was counts as wished."""
    now_s, memory = situation.observation.now_s, situation.memory
    wished = [count for time_s, count in memory.wishes.get(role, ()) if time_s >= now_s - window_s]
    if memory.started_s is None or now_s - memory.started_s < window_s:
        wished.append(situation.current[role])
    return max(wished, default=0)


def _nearest(within: Region, targets: Pair) -> Pair:
    """The nearest pair within; a spec without any was refused before it ran."""
    return within.nearest(targets) or targets


def _ratio_text(spec: FleetSpec) -> str:
    bounds = [
        f"{word} {pair[0]}:{pair[1]}"
        for word, pair in (("at least", spec.ratio.lowest), ("at most", spec.ratio.highest))
        if pair is not None
    ]
    return f"prefill to decode {' and '.join(bounds)}"
