"""Trust: how far the model may be believed, by what it says of the fleet as it stands against what users get.

While no pod starts, drains or is missing and figures are fresh, requests that end are counted. After a minute
of it the model is asked what the same pods do with the same arrivals, and its misses are set against theirs:

    distance = log2((missed + budget·n) / (predicted·n + budget·n))        n: those that ended, and a hundred

a doubling where users miss twice what the model says, the error budget being what nobody minds. Of decode
the misses are those of TPOT, of prefill those of TTFT among requests that met TPOT. A fleet with room to
spare misses nothing whatever a model says, so time counts too: share of time busy over the share that the
model tells, of decode TPOT over its step; the further of the two is the distance. Fewer late prompts than the
model says count for nothing: it knows no order but first come, first served. A role's distances fade
into a mean; its trust is 2^-|mean|. Where users miss more than the model says the rate is widened; where
trust stays below a floor the model is set aside, and taken up again once trust is well above it.

Pods that start, drain, or that came or went lately, and figures that are missing or stale say nothing of the
model: the count begins anew (anti-windup).

Source: this project.
"""

from dataclasses import dataclass, replace
from math import exp, log2

from tandem.api.role import Role
from tandem.planner import arriving
from tandem.planner.demand import Demand, arrival_ca2
from tandem.planner.model import Memory
from tandem.planner.observation import Missing, Observation, PodCounts
from tandem.planner.policies import state
from tandem.planner.queueing.tandem import Tandem
from tandem.planner.readings import MOST_INTERVAL_S, MOST_REQUESTS, MOST_SHARE, usable
from tandem.planner.spec import FleetSpec

WINDOW_S = 60.0  # of requests that ended, between two judgements
SETTLE_S = 45.0  # after pods came or went: requests of before have ended by then
LEAST_REQUESTS = 20.0  # in a window: fewer tell nothing
PRIOR_REQUESTS = 100.0  # that went as predicted
FORGET_S = 300.0  # of distances
IDLE = 0.05  # of time: what is as little busy says little
MOST_DISTANCE = 5.0  # doublings that one window counts at most
FLOOR, BACK = 0.3, 0.6  # of trust: below for a while the model is set aside, above it is back
PATIENCE_S = 180.0  # below the floor before it is
UNHEEDED = 1.0  # doublings that are chance: nothing is widened for them
WIDENING = 0.1  # doublings of the rate for each of those beyond


@dataclass(frozen=True, slots=True)
class Window:
    """Requests since `since_s`, from when on so many pods stood; counts are of `seconds`.

    `busy_s` are seconds that a prefill pod was busy of `watched_s`; `tpot_s` sums TPOT of `timed` requests.
    """

    since_s: float = 0.0
    prefills: float = 0.0
    decodes: float = 0.0
    seconds: float = 0.0
    arrivals: float = 0.0
    ended: float = 0.0
    met_tpot: float = 0.0
    met_both: float = 0.0
    busy_s: float = 0.0
    watched_s: float = 0.0
    tpot_s: float = 0.0
    timed: float = 0.0


@dataclass(frozen=True, slots=True)
class Trust:
    """Mean distances in doublings, positive where users miss more than the model says.

    `low_s` is how long trust has been below the floor; `is_lost` whether the model is set aside.
    """

    prefill: float = 0.0
    decode: float = 0.0
    low_s: float = 0.0
    is_lost: float = 0.0

    def of(self, role: Role) -> float:
        """The score of a role, 0 to 1."""
        return float(2.0 ** -abs(self.prefill if role is Role.PREFILL else self.decode))

    @property
    def least(self) -> float:
        """The lower of both roles."""
        return min(self.of(role) for role in Role)

    @property
    def widening(self) -> float:
        """What to multiply the rate by: more misses than the model says ask for more than it says."""
        beyond = max(self.prefill, self.decode) - UNHEEDED
        return float(2.0 ** (WIDENING * max(beyond, 0.0)))

    @property
    def why_not(self) -> str:
        """Why the model is set aside; empty while it is believed."""
        if not self.is_lost:
            return ""
        role = min(Role, key=self.of)
        distance = self.prefill if role is Role.PREFILL else self.decode
        sense = "worse" if distance > 0 else "better"
        times = 2.0 ** abs(distance)
        return (
            f"the model of {role} is not believed, users get {times:.1f} times {sense} than it says"
        )


def is_kept(memory: Memory) -> bool:
    """Whether the policy asks the model, so that there is something to trust."""
    return "trust.is_lost" in memory.facts


def recalled(memory: Memory) -> tuple[Trust, Window]:
    """What the memory holds of both; full trust where it holds none."""
    return (
        state.recalled(Trust, "trust", memory.facts, Trust()),
        state.recalled(Window, "window", memory.facts, Window()),
    )


def observed(
    trust: Trust, window: Window, observation: Observation, memory: Memory, spec: FleetSpec
) -> tuple[Trust, Window]:
    """After one more interval; `spec` has the times that are believed now."""
    window = _counted(window, observation, spec)
    if window.seconds < WINDOW_S or window.ended < LEAST_REQUESTS:
        return trust, window
    trust = _judged(trust, window, memory, spec)
    return trust, Window(window.since_s, window.prefills, window.decodes)


def _counted(window: Window, observation: Observation, spec: FleetSpec) -> Window:
    """The window with one more interval; a new one where something moves or is not known."""
    pods = [observation.pods.get(role, PodCounts()) for role in Role]
    ready = tuple(float(each.ready) for each in pods)
    fresh = Window(observation.now_s, *ready)
    moves = any(each.starting or each.draining or each.ready != each.desired for each in pods)
    traffic, stale_s = observation.traffic, spec.behavior.stale_after_s
    readings = (traffic.arrivals, traffic.finished, traffic.met_tpot, traffic.met_both)
    counts = [usable(reading, MOST_REQUESTS, stale_s) for reading in readings]
    came, ended, met_tpot, met_both = (0.0 if isinstance(c, Missing) else c for c in counts)
    unknown = any(isinstance(count, Missing) for count in counts)
    interval_s = traffic.interval_s
    if moves or unknown or ready != (window.prefills, window.decodes) or min(ready) < 1:
        return fresh
    if not 0 < interval_s <= MOST_INTERVAL_S or not met_both <= met_tpot <= ended:
        return fresh
    if not observation.now_s - window.since_s >= 0 or observation.now_s - window.since_s < SETTLE_S:
        return window if observation.now_s >= window.since_s else fresh
    busy = usable(traffic.utilisation.get(Role.PREFILL), MOST_SHARE, stale_s)
    tpot_s = usable(traffic.tpot_s, MOST_INTERVAL_S, stale_s)
    is_watched, is_timed = not isinstance(busy, Missing), not isinstance(tpot_s, Missing)
    return replace(
        window,
        seconds=window.seconds + interval_s,
        arrivals=window.arrivals + came,
        ended=window.ended + ended,
        met_tpot=window.met_tpot + met_tpot,
        met_both=window.met_both + met_both,
        busy_s=window.busy_s + (0.0 if isinstance(busy, Missing) else busy * interval_s),
        watched_s=window.watched_s + is_watched * interval_s,
        tpot_s=window.tpot_s + (0.0 if isinstance(tpot_s, Missing) else tpot_s * ended),
        timed=window.timed + is_timed * ended,
    )


def distances(window: Window, memory: Memory, spec: FleetSpec) -> tuple[float, float] | None:
    """Doublings of what was seen over what the model tells, of prefill and decode."""
    lengths = arriving.lengths(memory)
    if lengths is None:
        return None
    demand = Demand(
        rate_rps=window.arrivals / window.seconds,
        lengths=lengths,
        arrival_ca2=arrival_ca2(memory.dispersion),
    )
    tandem = Tandem(demand, spec)
    prefills, decodes = int(window.prefills), int(window.decodes)
    stage, both = tandem.decode(decodes, prefills), tandem.attainment(prefills, decodes)
    tpot = tandem.tpot_attainment(decodes, prefills)
    late, slow = 1 - both / max(tpot, both, 1e-9), 1 - tpot
    budget = 1 - spec.slo.attainment
    seen_late = _of_misses(window.met_tpot - window.met_both, window.met_tpot, late, budget)
    prefill = [
        max(seen_late, 0.0)
    ]  # a gateway's order makes fewer late than first come, first served
    decode = [_of_misses(window.ended - window.met_tpot, window.ended, slow, budget)]
    if window.watched_s:
        told = min(tandem.rate_rps * tandem.prefill_work.mean_s / prefills, 1.0)
        prefill.append(_doublings(window.busy_s / window.watched_s + IDLE, told + IDLE))
    if window.timed and tandem.first_by_decode:
        decode.append(_doublings(window.tpot_s / window.timed, stage.pool.mean_step_s))
    return max(prefill, key=abs), max(decode, key=abs)


def _of_misses(missed: float, of: float, told: float, budget: float) -> float:
    minded = budget * (of + PRIOR_REQUESTS)
    return _doublings(missed + minded, max(told, 0.0) * of + minded)


def _doublings(seen: float, told: float) -> float:
    if seen <= 0 or told <= 0:
        return 0.0
    return max(-MOST_DISTANCE, min(MOST_DISTANCE, log2(seen / told)))


def _judged(trust: Trust, window: Window, memory: Memory, spec: FleetSpec) -> Trust:
    found = distances(window, memory, spec)
    if found is None:
        return trust
    share = 1 - exp(-window.seconds / FORGET_S)
    trust = replace(
        trust,
        prefill=trust.prefill + share * (found[0] - trust.prefill),
        decode=trust.decode + share * (found[1] - trust.decode),
    )
    low_s = trust.low_s + window.seconds if trust.least < FLOOR else 0.0
    lost = trust.least < BACK if trust.is_lost else low_s >= PATIENCE_S
    return replace(trust, low_s=low_s, is_lost=float(lost))
