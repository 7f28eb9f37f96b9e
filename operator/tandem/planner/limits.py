"""Limits: what may become of a wish, one rule after the other, each with its reason.

The order is the meaning. First whether to move at all, then how fast, then where to: the later a rule
stands the harder it is, and from `min` on each keeps what those before it promised, so that a plan ends
within bounds, ratio and budget whatever came before.
"""

from dataclasses import replace

from tandem.api.role import Role
from tandem.planner import region, schedules
from tandem.planner.model import Clamp, Memory
from tandem.planner.observation import PodCounts
from tandem.planner.region import Pair, Region
from tandem.planner.situation import Limit, Limited, Situation, asks_for_most, unknown
from tandem.planner.spec import Budget, FleetSpec, RatioBounds
from tandem.planner.survivors import survivors


def hold(situation: Situation, targets: Pair) -> Limited:
    """Nothing moves on figures that are missing, stale or impossible."""
    why = unknown(situation)
    return Limited(situation.current, why) if why else Limited(targets)


def on_stale(situation: Situation, targets: Pair) -> Limited:
    """The most instead, where the fleet asks for it, after a while."""
    if not asks_for_most(situation):
        return Limited(targets)
    stale_after_s = situation.spec.behavior.stale_after_s
    return Limited(situation.spec.most, f"unknown for {stale_after_s:.0f} s and more")


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
    if asks_for_most(situation):
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
