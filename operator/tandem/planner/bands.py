"""Bands: what a fleet does while its model is not believed; only what is measured counts.

    use of prefill   share of time busy; full while requests that it delays miss TTFT
    use of decode    the largest of KV in use, batch in use, and mean TPOT over its target

Above the band a role grows in proportion, to the band's middle, by one at least. Below it a quarter
at most goes, after no wish of five minutes was for more. A queue that decode does not hold up counts as a full prefill.
Slow and dear, but nothing in it can be far off: no profile, no forecast.

Source: this project; the proportional rule and the window of Kubernetes' HorizontalPodAutoscaler.
"""

from collections.abc import Mapping
from dataclasses import replace
from math import ceil

from tandem.api.role import Role
from tandem.planner import evidence
from tandem.planner.observation import Missing, Observation, PodCounts
from tandem.planner.policies.proposal import Proposal, current
from tandem.planner.readings import MOST_INTERVAL_S, MOST_REQUESTS, MOST_SHARE, known, usable
from tandem.planner.spec import FleetSpec

LOW, MIDDLE, HIGH = 0.4, 0.6, 0.8  # of use
TPOT_LOW, TPOT_HIGH = (
    0.7,
    0.95,
)  # of its target: a step has a fixed part, so TPOT falls less than use
MOST_GROWTH, MOST_SHRINKING = 2.0, 0.75  # times what is ready, at a look
DOWN_S = 300.0  # a lower wish must stand as long as Kubernetes' own stabilisation window


def instead(proposal: Proposal, observation: Observation, spec: FleetSpec, why: str) -> Proposal:
    """The proposal with wishes by bands; what a model said of reasons and pairs is left out."""
    uses = _uses(observation, spec)
    wishes = {role: _moved(observation, role, uses[role]) for role in Role}
    return replace(
        proposal,
        wishes=wishes,
        ideal=wishes,
        reasons={role: _reason(uses[role], role) for role in Role},
        notes=(f"{why}: scaled by bands of use until it is believed again",),
        runner_up=None,
        goal=0.0,
        hold_s=max(proposal.hold_s, DOWN_S),
    )


def _moved(observation: Observation, role: Role, use: float | None) -> int:
    """Replicas after a look; as they are while pods start or the use is unknown."""
    pods, now = observation.pods.get(role, PodCounts()), current(observation, role)
    if use is None:
        return now
    if use > HIGH:
        wish = ceil(pods.ready * min(use / MIDDLE, MOST_GROWTH))
        return max(now, wish, now if pods.starting else now + 1)
    if use >= LOW or pods.starting:
        return now
    return min(now, max(ceil(pods.ready * max(use / MIDDLE, MOST_SHRINKING)), 1))


def _uses(observation: Observation, spec: FleetSpec) -> Mapping[Role, float | None]:
    return {Role.PREFILL: _prefill(observation, spec), Role.DECODE: _decode(observation, spec)}


def _prefill(observation: Observation, spec: FleetSpec) -> float | None:
    """Share of time in use, 1 at least while too many miss TTFT for it; None where unknown."""
    traffic, stale_s = observation.traffic, spec.behavior.stale_after_s
    busy = usable(traffic.utilisation.get(Role.PREFILL), MOST_SHARE, stale_s)
    if evidence.waits_for_decode(observation, spec):
        return None if isinstance(busy, Missing) else min(busy, MIDDLE)
    ended = known(traffic.finished, MOST_REQUESTS, stale_s, otherwise=0.0)
    met = known(traffic.met_ttft, MOST_REQUESTS, stale_s, otherwise=ended)
    late = ended > 0 and met < spec.slo.attainment * ended
    queued = known(traffic.queued_requests, MOST_REQUESTS, stale_s, otherwise=0.0)
    if isinstance(busy, Missing):
        return 1.0 if late and queued else None
    return max(busy, 1.0) if late and queued else busy


def _decode(observation: Observation, spec: FleetSpec) -> float | None:
    """The largest use that is known; a TPOT within its target is none below the band."""
    traffic, stale_s = observation.traffic, spec.behavior.stale_after_s
    uses = [
        usable(traffic.kv_usage.get(Role.DECODE), MOST_SHARE, stale_s),
        usable(traffic.utilisation.get(Role.DECODE), MOST_SHARE, stale_s),
    ]
    shares = [use for use in uses if not isinstance(use, Missing)]
    tpot_s = usable(traffic.tpot_s, MOST_INTERVAL_S, stale_s)
    if not isinstance(tpot_s, Missing):
        shares.append(_of_target(tpot_s / spec.slo.tpot_s))
    return max(shares, default=None)


def _of_target(share: float) -> float:
    """TPOT over its target as a use: its own band laid upon the other."""
    return LOW / 2 if share < TPOT_LOW else HIGH * share / TPOT_HIGH


def _reason(use: float | None, role: Role) -> str:
    if use is None:
        return f"bands: held, use of {role} is unknown"
    return f"bands: {use:.0%} of {role} in use, {LOW:.0%} to {HIGH:.0%} wanted"
