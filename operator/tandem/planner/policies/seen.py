"""What stands at a role now, as rules of others ask for it: in its engines, and at the gateway.

Requests wait at the gateway here, not in front of each engine: a queue belongs to the role that it waits for.
"""

from tandem.api.role import Role
from tandem.planner import evidence
from tandem.planner.demand import LengthMix
from tandem.planner.observation import Missing, Observation, PodCounts
from tandem.planner.policies import velocity
from tandem.planner.queueing import decode, prefill
from tandem.planner.readings import (
    MOST_INTERVAL_S,
    MOST_REQUESTS,
    MOST_SHARE,
    MOST_TOKENS,
    known,
    usable,
)
from tandem.planner.spec import FleetSpec


def ready(observation: Observation, role: Role) -> int:
    """Pods of a role that serve."""
    return observation.pods.get(role, PodCounts()).ready


def queue(observation: Observation, spec: FleetSpec) -> float:
    """Requests at the gateway; none where that is unknown."""
    stale_s = spec.behavior.stale_after_s
    return known(observation.traffic.queued_requests, MOST_REQUESTS, stale_s, otherwise=0.0)


def queue_tokens(observation: Observation, spec: FleetSpec) -> float:
    """Their input tokens that are not cached."""
    stale_s = spec.behavior.stale_after_s
    return known(observation.traffic.queued_tokens, MOST_TOKENS, stale_s, otherwise=0.0)


def waits_for(observation: Observation, spec: FleetSpec) -> Role:
    """The role in whose pods the gateway's queue would stand elsewhere."""
    return Role.DECODE if evidence.waits_for_decode(observation, spec) else Role.PREFILL


def queued(observation: Observation, spec: FleetSpec, role: Role) -> float:
    """Requests that wait for a role."""
    return queue(observation, spec) if role is waits_for(observation, spec) else 0.0


def queued_tokens(observation: Observation, spec: FleetSpec, role: Role) -> float:
    """Uncached input tokens of the requests that wait for a role."""
    return queue_tokens(observation, spec) if role is waits_for(observation, spec) else 0.0


def running(observation: Observation, spec: FleetSpec, role: Role) -> float | Missing:
    """Requests in all engines of a role."""
    each = usable(observation.traffic.running.get(role), MOST_REQUESTS, spec.behavior.stale_after_s)
    return each if isinstance(each, Missing) else each * ready(observation, role)


def kv_tokens(observation: Observation, spec: FleetSpec, role: Role) -> float | Missing:
    """Tokens of KV in all engines of a role."""
    share = usable(observation.traffic.kv_usage.get(role), MOST_SHARE, spec.behavior.stale_after_s)
    if isinstance(share, Missing):
        return share
    return share * spec.roles[role].profile.kv.capacity_tokens * ready(observation, role)


def use(
    observation: Observation, spec: FleetSpec, lengths: LengthMix, role: Role
) -> float | Missing:
    """Share of a role's capacity in use: of prefill's time, of decode's largest batch within TPOT and KV."""
    if role is Role.PREFILL:
        stale_s = spec.behavior.stale_after_s
        return usable(observation.traffic.utilisation.get(role), MOST_SHARE, stale_s)
    inside = running(observation, spec, role)
    if isinstance(inside, Missing):
        return inside
    most = velocity.residents(spec.roles[role].profile, lengths, spec.slo.tpot_s)
    return inside / max(1, ready(observation, role)) / most


def prefill_seconds(
    observation: Observation, spec: FleetSpec, lengths: LengthMix
) -> float | Missing:
    """Work in prefill's queue and engines, in seconds of one engine; prompts in hand count whole."""
    inside = running(observation, spec, Role.PREFILL)
    if isinstance(inside, Missing):
        return inside
    tokens = queued_tokens(observation, spec, Role.PREFILL) + inside * lengths.mean_new
    mean_s = prefill.work(spec.roles[Role.PREFILL].profile, lengths).mean_s
    return tokens * mean_s / lengths.mean_new


def itl_s(observation: Observation, spec: FleetSpec, lengths: LengthMix) -> float | Missing:
    """Mean time between tokens: as measured, else the step that the profile has for what decodes now."""
    measured = usable(observation.traffic.tpot_s, MOST_INTERVAL_S, spec.behavior.stale_after_s)
    inside = running(observation, spec, Role.DECODE)
    if not isinstance(measured, Missing) or isinstance(inside, Missing):
        return measured
    work = decode.work(spec.roles[Role.DECODE].profile, lengths)
    return work.step_s(inside / max(1, ready(observation, Role.DECODE)))
