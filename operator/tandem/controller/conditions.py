"""Conditions by the API conventions: claims from what a tick saw, and when each last turned.

A claim that a tick can't judge stands as it was: an API server that is away does not make a fleet
unready.
"""

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from tandem.api import duration
from tandem.api.autoscaling import Mode
from tandem.api.condition import Condition, ConditionState
from tandem.api.fallback import OnStale, OnUntrusted
from tandem.api.fleet import DisaggregatedLLM
from tandem.api.role import Role
from tandem.controller.loop import Tick
from tandem.controller.reasons import LOOP, PODS, SPEC, Reason, Trouble, Type, of_tick
from tandem.controller.recent import WINDOW_S, Recent
from tandem.planner import situation
from tandem.planner import trust as trusts
from tandem.planner.memory import KEEP_S
from tandem.planner.observation import Missing, PodCounts
from tandem.planner.readings import MOST_INTERVAL_S, MOST_RATE_RPS, usable
from tandem.planner.words import share

TRUE, FALSE, UNKNOWN = ConditionState.TRUE, ConditionState.FALSE, ConditionState.UNKNOWN
WHILE_UNTRUSTED = MappingProxyType(
    {
        OnUntrusted.BANDS: "go by bands of use",
        OnUntrusted.HOLD: "are held",
        OnUntrusted.MAX: "go to their maximum",
    }
)
LEAST_TO_JUDGE = 20  # requests: fewer would call a cold start's first misses a missed objective


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What conditions are judged by; `fleet` is None where the resource could not be read."""

    fleet: DisaggregatedLLM | None
    tick: Tick | None
    now: dt.datetime
    troubles: Sequence[Trouble] = ()
    recent: Recent = field(default_factory=Recent)

    @property
    def counts(self) -> Mapping[Role, PodCounts] | None:
        """Pods of each role; None where the tick failed."""
        seen = self.tick.observation if self.tick else None
        return None if seen is None else {r: seen.pods.get(r, PodCounts()) for r in Role}

    @property
    def all_troubles(self) -> tuple[Trouble, ...]:
        """Those given, and that the tick failed."""
        failed = (of_tick(self.tick.error),) if self.tick and self.tick.error else ()
        return (*self.troubles, *failed)


@dataclass(frozen=True, slots=True)
class Claim:
    """A condition but for its times."""

    type: Type
    status: ConditionState
    reason: Reason
    message: str


def conditions(
    look: Look, before: Sequence[Condition], generation: int | None
) -> tuple[Condition, ...]:
    """Every condition now: a transition time moves only when the status does."""
    old = {condition.type: condition for condition in before}
    stamped = {
        claim.type.value: _stamped(claim, old.get(claim.type), generation, look.now)
        for claim in claims(look)
    }
    if Type.READY not in old | stamped:
        first = Claim(Type.READY, UNKNOWN, Reason.NOT_LOOKED, "Nobody has looked at the fleet yet.")
        stamped[Type.READY] = _stamped(first, None, generation, look.now)
    if _is_recovering(old.get(Type.MEMORY_KEPT), look.now):
        stamped.pop(Type.MEMORY_KEPT, None)
    both = old | stamped
    return tuple(both[name] for name in Type if name in both)


def claims(look: Look) -> tuple[Claim, ...]:
    """What can be said now, one claim of a type at most."""
    found = (judge(look) for judge in JUDGES)
    return tuple(claim for claim in found if claim is not None)


def _stamped(
    claim: Claim, old: Condition | None, generation: int | None, now: dt.datetime
) -> Condition:
    turned = old is None or old.status is not claim.status
    return Condition(
        type=claim.type.value,
        status=claim.status,
        reason=claim.reason.value,
        message=claim.message,
        last_transition_time=now if turned or old is None else old.last_transition_time,
        observed_generation=generation,
    )


def _is_recovering(old: Condition | None, now: dt.datetime) -> bool:
    """Whether a memory that was rebuilt still lacks a part of what a whole one spans."""
    return (
        old is not None
        and old.status is FALSE
        and now - old.last_transition_time < dt.timedelta(seconds=KEEP_S)
    )


def _ready(look: Look) -> Claim | None:
    wrong = _told(look, SPEC)
    if wrong:
        return Claim(Type.READY, FALSE, *wrong)
    if look.fleet is None or look.counts is None:
        return None
    least = {role: spec.replicas.min for role, spec in look.fleet.spec.roles.items()}
    short = [role for role in Role if look.counts[role].ready < least[role]]
    no_gateway = _told(look, (Reason.NO_GATEWAY,))
    if not short and no_gateway:
        return Claim(Type.READY, FALSE, *(_told(look, PODS) or no_gateway))
    if not short:
        pods = " and ".join(f"{look.counts[role].ready} {role}" for role in Role)
        return Claim(Type.READY, TRUE, Reason.ENOUGH_PODS, f"{pods} pods take requests.")
    lacks = ", ".join(f"{role} {look.counts[role].ready} of {least[role]}" for role in short)
    waits = Reason.PODS_STARTING, f"Fewer pods are Ready than the role needs at least: {lacks}."
    return Claim(Type.READY, FALSE, *(_told(look, PODS) or waits))


def _reconciled(look: Look) -> Claim | None:
    wrong = _told(look, (*SPEC, *LOOP))
    if wrong:
        return Claim(Type.RECONCILED, FALSE, *wrong)
    if look.tick is None:
        return None
    message = "The cluster was asked for all that was decided."
    return Claim(Type.RECONCILED, TRUE, Reason.AS_ASKED, message)


def _metrics_fresh(look: Look) -> Claim | None:
    seen = look.tick.observation if look.tick else None
    if look.fleet is None or seen is None:
        return None
    oldest_s = duration.seconds(look.fleet.spec.metrics.max_age)
    arrivals = usable(seen.traffic.arrivals, MOST_RATE_RPS * MOST_INTERVAL_S, oldest_s)
    no_gateway = _told(look, (Reason.NO_GATEWAY,))
    if isinstance(arrivals, Missing) and no_gateway:
        return Claim(Type.METRICS_FRESH, UNKNOWN, *no_gateway)
    if isinstance(arrivals, Missing):
        message = f"Arrivals are unknown, so replicas {_while_unknown(look)}: {arrivals.reason}."
        return Claim(Type.METRICS_FRESH, FALSE, Reason.METRICS_MISSING, message)
    return Claim(Type.METRICS_FRESH, TRUE, Reason.FRESH, "Arrivals are known.")


def _while_unknown(look: Look) -> str:
    """What replicas do while arrivals are unknown."""
    assert look.fleet is not None
    assert look.tick is not None
    seen, plan, spec = look.tick.observation, look.tick.plan, look.fleet.spec
    if seen is None or plan is None or spec.autoscaling.on_stale is OnStale.HOLD:
        return "are held"
    stale_after_s = duration.seconds(spec.metrics.max_age)
    is_long = situation.is_stale(plan.memory, seen.now_s, stale_after_s)
    return "go to their maximum" if is_long else "are held for the moment"


def _slo_met(look: Look) -> Claim | None:
    if look.fleet is None or look.counts is None:
        return None
    attained, asked = look.recent.attainment, look.fleet.spec.slo.attainment
    span = f"the last {WINDOW_S / 60:.0f} minutes"
    if attained is None:
        message = f"No request ended within {span}."
        return Claim(Type.SLO_MET, UNKNOWN, Reason.NO_REQUESTS, message)
    if look.recent.finished < LEAST_TO_JUDGE:
        message = f"{look.recent.finished:.0f} requests ended within {span}: too few to judge."
        return Claim(Type.SLO_MET, UNKNOWN, Reason.TOO_FEW, message)
    met = attained >= asked
    message = f"{share(attained)} of the requests of {span} met both targets, {share(asked)} asked."
    return Claim(
        Type.SLO_MET, TRUE if met else FALSE, Reason.ATTAINED if met else Reason.MISSED, message
    )


def _capacity_available(look: Look) -> Claim | None:
    wrong = _told(look, (Reason.UNSCHEDULABLE,))
    if wrong:
        return Claim(Type.CAPACITY_AVAILABLE, FALSE, *wrong)
    if look.counts is None:
        return None
    return Claim(Type.CAPACITY_AVAILABLE, TRUE, Reason.PODS_PLACED, "Every pod has a node.")


def _provisioning(look: Look) -> Claim | None:
    if look.counts is None:
        return None
    away = {
        role: max(pods.starting, pods.desired - pods.ready) for role, pods in look.counts.items()
    }
    wrong = _told(look, PODS)
    if not (any(away.values()) or wrong):
        message = "Every pod that was asked for is there."
        return Claim(Type.PROVISIONING, FALSE, Reason.NOTHING_STARTING, message)
    pods = " and ".join(f"{count} {role}" for role, count in away.items() if count > 0)
    starts = Reason.PODS_STARTING, f"On their way to Ready: {pods}."
    return Claim(Type.PROVISIONING, TRUE, *(wrong or starts))


def _ratio_satisfied(look: Look) -> Claim | None:
    if look.fleet is None or look.counts is None:
        return None
    prefills, decodes = (look.counts[role].ready for role in (Role.PREFILL, Role.DECODE))
    bounds = look.fleet.spec.autoscaling.ratio
    message = f"{prefills} prefill to {decodes} decode pods are Ready."
    if bounds is None or bounds.is_met_by_some(
        range(prefills, prefills + 1), range(decodes, decodes + 1)
    ):
        return Claim(Type.RATIO_SATISFIED, TRUE, Reason.WITHIN_BOUNDS, message)
    return Claim(Type.RATIO_SATISFIED, FALSE, Reason.OUT_OF_BOUNDS, message)


def _model_trusted(look: Look) -> Claim | None:
    plan = look.tick.plan if look.tick else None
    if plan is None:
        return None
    if not trusts.is_kept(plan.memory):
        message = "The policy has asked no model of the engines."
        return Claim(Type.MODEL_TRUSTED, UNKNOWN, Reason.NO_MODEL, message)
    trust, _ = trusts.recalled(plan.memory)
    if trust.why_not:
        asked = look.fleet.spec.autoscaling.on_untrusted if look.fleet else OnUntrusted.BANDS
        message = f"Replicas {WHILE_UNTRUSTED[asked]}: {trust.why_not}."
        return Claim(Type.MODEL_TRUSTED, FALSE, Reason.NOT_AS_PREDICTED, message)
    scores = " and ".join(f"{trust.of(role):.1f} in {role}" for role in Role)
    message = f"Users miss about as many targets as predicted: trust is {scores}, of 1."
    return Claim(Type.MODEL_TRUSTED, TRUE, Reason.AS_PREDICTED, message)


def _memory_kept(look: Look) -> Claim | None:
    wrong = _told(look, (Reason.MEMORY_REBUILT,))
    if wrong:
        return Claim(Type.MEMORY_KEPT, FALSE, *wrong)
    if look.tick is None:
        return None
    return Claim(Type.MEMORY_KEPT, TRUE, Reason.KEPT, "The planner's memory is whole.")


def _paused(look: Look) -> Claim | None:
    if look.fleet is None:
        return None
    if look.fleet.spec.autoscaling.mode is Mode.PAUSED:
        message = "Replicas are left as they are until autoscaling.mode is Auto again."
        return Claim(Type.PAUSED, TRUE, Reason.MODE_PAUSED, message)
    return Claim(Type.PAUSED, FALSE, Reason.MODE_AUTO, "The fleet is scaled.")


JUDGES: tuple[Callable[[Look], Claim | None], ...] = (
    _ready,
    _reconciled,
    _metrics_fresh,
    _slo_met,
    _capacity_available,
    _provisioning,
    _ratio_satisfied,
    _model_trusted,
    _memory_kept,
    _paused,
)


def _told(look: Look, reasons: Iterable[Reason]) -> tuple[Reason, str] | None:
    """The first trouble by the order of `reasons`, and how many there are of it."""
    for reason in reasons:
        alike = [trouble for trouble in look.all_troubles if trouble.reason is reason]
        if alike:
            others = f" The same holds {len(alike) - 1} times more." if len(alike) > 1 else ""
            return reason, f"{alike[0].message}{others}"
    return None
