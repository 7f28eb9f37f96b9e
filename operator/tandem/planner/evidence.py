"""Evidence: replicas that what is already here asks for, whatever the forecast says."""

from dataclasses import dataclass
from math import ceil

from tandem.api.role import Role
from tandem.planner import words
from tandem.planner.observation import Observation, PodCounts
from tandem.planner.queueing.tandem import Tandem
from tandem.planner.readings import MOST_REQUESTS, MOST_SHARE, MOST_TOKENS, known
from tandem.planner.spec import FleetSpec

FULL = 0.95  # of a batch or of KV: decode is what requests wait for
IDLE = 0.6  # of prefill's time: a queue in front of pods so idle waits for something else


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """Replicas of a role that are needed at least, and why; none where nothing is amiss."""

    replicas: int = 0
    reason: str = ""


def backlog(observation: Observation, spec: FleetSpec, tandem: Tandem) -> Need:
    """Prefill replicas that work off what will still be queued a lead time from now, within another.

    A queue is fluid: U seconds of prefill now, work coming in at λ·E[S], pods that do a second each. What
    the pods in hand drain before a further one could start needs no pod, and a queue behind a full decode
    none at all: it would only pin more KV.
    """
    pods = observation.pods.get(Role.PREFILL, PodCounts())
    if begins_in_time(observation, spec, tandem, pods.ready):
        return Need()
    queued_s, lead_s = _queued_s(observation, spec, tandem), spec.roles[Role.PREFILL].lead_time_s
    load = tandem.rate_rps * tandem.prefill_work.mean_s
    working = (
        pods.ready + pods.starting / 2
    )  # those that start do so somewhere within the lead time
    left_s = queued_s + (load - working) * lead_s
    if left_s <= 0:
        return Need()
    replicas = ceil(load + left_s / lead_s)
    return Need(
        replicas=replicas,
        reason=f"{words.seconds(queued_s)} of prefill queued: {replicas} work it off in time",
    )


def begins_in_time(
    observation: Observation, spec: FleetSpec, tandem: Tandem, prefills: int
) -> bool:
    """Whether so many prefill replicas take on what queues now within TTFT, or it waits for decode."""
    queued_s = _queued_s(observation, spec, tandem)
    return queued_s <= prefills * spec.slo.ttft_s or waits_for_decode(observation, spec)


def _queued_s(observation: Observation, spec: FleetSpec, tandem: Tandem) -> float:
    """Seconds of prefill that wait."""
    stale_s = spec.behavior.stale_after_s
    queued = known(observation.traffic.queued_tokens, MOST_TOKENS, stale_s, otherwise=0.0)
    return queued * tandem.prefill_work.mean_s / tandem.lengths.mean_new


def residents(observation: Observation, spec: FleetSpec, tandem: Tandem) -> Need:
    """Decode replicas that hold the requests which decode now within the TPOT target and their KV."""
    ready = observation.pods.get(Role.DECODE, PodCounts()).ready
    stale_s = spec.behavior.stale_after_s
    running = known(observation.traffic.running.get(Role.DECODE), MOST_REQUESTS, stale_s, 0.0)
    room = _room(_context_tokens(observation, spec, tandem, running), spec, tandem)
    replicas = ceil(running * ready / max(room, 1.0))
    if not replicas:
        return Need()
    return Need(
        replicas=replicas,
        reason=f"{running * ready:.0f} requests decode now: {replicas} hold them within TPOT",
    )


def _context_tokens(
    observation: Observation, spec: FleetSpec, tandem: Tandem, running: float
) -> float:
    """A resident's context: as ended requests tell, or as measured where it is longer.

    Outputs that have just become longer are not among those that ended, but what they hold grows.
    """
    told = tandem.decode_work.context_tokens
    usage = observation.traffic.kv_usage.get(Role.DECODE)
    held = min(known(usage, MOST_SHARE, spec.behavior.stale_after_s, otherwise=0.0), 1.0)
    measured = held * spec.roles[Role.DECODE].profile.kv.capacity_tokens / max(running, 1.0)
    return max(told, measured)


def _room(context_tokens: float, spec: FleetSpec, tandem: Tandem) -> float:
    """Residents of such contexts that a replica holds at most: by TPOT, batch and KV."""
    work, profile = tandem.decode_work, spec.roles[Role.DECODE].profile
    longer = context_tokens - work.context_tokens
    resident_s = work.resident_s + profile.decode.gamma_s_per_token * longer
    by_step = max(spec.slo.tpot_s - work.fixed_s, 0.0) / resident_s
    return min(by_step, work.batch_cap, work.kv_tokens / context_tokens)


def waits_for_decode(observation: Observation, spec: FleetSpec) -> bool:
    """Whether the queue is there for want of decode: that is full, or prefill pods stand idle."""
    traffic, stale_s = observation.traffic, spec.behavior.stale_after_s
    use = known(traffic.utilisation.get(Role.DECODE), MOST_SHARE, stale_s, otherwise=0.0)
    kv = known(traffic.kv_usage.get(Role.DECODE), MOST_SHARE, stale_s, otherwise=0.0)
    busy = known(traffic.utilisation.get(Role.PREFILL), MOST_SHARE, stale_s, otherwise=1.0)
    return max(use, kv) >= FULL or busy < IDLE
