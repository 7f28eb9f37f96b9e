"""Events: what a person should be told when it happens, each once, and never a flood. Pure.

A change of replicas is told each time; a condition is told when it turns or finds another reason.
"""

import datetime as dt
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from tandem.api.base import GROUP, VERSION
from tandem.api.condition import Condition, ConditionState
from tandem.api.cut import Cut
from tandem.api.fleet_status import FleetStatus
from tandem.cluster.kubernetes.fleet import Drift
from tandem.controller.loop import Change, Tick
from tandem.controller.reasons import LOOP, PODS, SPEC, Type

AGAIN_S = 600.0  # the same is not told again before
MINUTE_S = 60.0
MOST_A_MINUTE = 10  # of one fleet
CUT = Cut(1024)  # the API server's limit of a message
COMPONENT = "tandem-operator"
_TRUE, _FALSE, _UNKNOWN = ConditionState


class Severity(StrEnum):
    """The two types of Events."""

    NORMAL = "Normal"
    WARNING = "Warning"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One Event; `topic` stands for its message where figures in it change and the news does not."""

    reason: str
    message: str
    severity: Severity = Severity.NORMAL
    topic: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """What makes two Events the same."""
        return self.reason, self.topic or self.message


@dataclass(frozen=True, slots=True)
class Sent:
    """When each Event of a fleet was last sent, seconds since the epoch; small, for it forgets."""

    times_s: Mapping[tuple[str, str], float] = field(default_factory=lambda: MappingProxyType({}))


# How each turn of a condition is told; turns that nobody waits for are not listed.
_TURNS: Mapping[tuple[Type, ConditionState], tuple[str, Severity]] = MappingProxyType(
    {
        (Type.READY, _TRUE): ("Ready", Severity.NORMAL),
        (Type.READY, _FALSE): ("NotReady", Severity.WARNING),
        (Type.RECONCILED, _TRUE): ("Reconciled", Severity.NORMAL),
        (Type.METRICS_FRESH, _TRUE): ("MetricsFresh", Severity.NORMAL),
        (Type.METRICS_FRESH, _FALSE): ("MetricsMissing", Severity.WARNING),
        (Type.SLO_MET, _TRUE): ("SLOMet", Severity.NORMAL),
        (Type.SLO_MET, _FALSE): ("SLOMissed", Severity.WARNING),
        (Type.CAPACITY_AVAILABLE, _TRUE): ("CapacityAvailable", Severity.NORMAL),
        (Type.RATIO_SATISFIED, _TRUE): ("RatioSatisfied", Severity.NORMAL),
        (Type.RATIO_SATISFIED, _FALSE): ("RatioOutOfBounds", Severity.WARNING),
        (Type.MODEL_TRUSTED, _TRUE): ("ModelTrusted", Severity.NORMAL),
        (Type.MODEL_TRUSTED, _FALSE): ("ModelUntrusted", Severity.WARNING),
        (Type.MEMORY_KEPT, _FALSE): ("MemoryRebuilt", Severity.WARNING),
        (Type.PAUSED, _TRUE): ("Paused", Severity.NORMAL),
        (Type.PAUSED, _FALSE): ("Resumed", Severity.NORMAL),
    }
)
# How a new fleet begins: that it does so is no news.
_AT_FIRST = {
    Type.READY: _FALSE,
    Type.RECONCILED: _TRUE,
    Type.METRICS_FRESH: _TRUE,
    Type.SLO_MET: _TRUE,
    Type.CAPACITY_AVAILABLE: _TRUE,
    Type.RATIO_SATISFIED: _TRUE,
    Type.MODEL_TRUSTED: _TRUE,
    Type.MEMORY_KEPT: _TRUE,
    Type.PAUSED: _FALSE,
}
_TROUBLES = frozenset({*SPEC, *LOOP, *PODS})  # told by their own reason, wherever they show


def events(
    tick: Tick | None,
    before: FleetStatus | None,
    after: FleetStatus,
    drifts: Sequence[Drift] = (),
) -> tuple[Event, ...]:
    """All that one turn gives to tell, the most important first, the same never twice."""
    told = (
        *(_put_back(drift) for drift in drifts),
        *(_scaled(change) for change in (tick.changes if tick else ())),
        *_turns(before.conditions if before else (), after.conditions),
    )
    return tuple({event.key: event for event in told}.values())


def status_refused(words: str) -> Event:
    """The API server does not take our status: only an Event can say so."""
    message = (
        f"The status can't be written, are the definitions of this version applied"
        f" (kubectl apply -f crds/)? {words}"
    )
    return Event(
        reason="StatusRefused", message=message, severity=Severity.WARNING, topic="refused"
    )


def due(sent: Sent, told: Sequence[Event], now: dt.datetime) -> tuple[tuple[Event, ...], Sent]:
    """Those of `told` that are to be sent now, and the memory of them."""
    now_s = now.timestamp()
    times = {key: at for key, at in sent.times_s.items() if now_s - AGAIN_S < at <= now_s}
    room = MOST_A_MINUTE - sum(at > now_s - MINUTE_S for at in times.values())
    fresh = tuple(event for event in told if event.key not in times)[: max(0, room)]
    return fresh, Sent(MappingProxyType(times | {event.key: now_s for event in fresh}))


def body(event: Event, namespace: str, name: str, uid: str, now: dt.datetime) -> dict[str, Any]:
    """The Event as the API server takes it, about the fleet of that name.

    Its own name follows from what it says, so that one which was sent twice is there once.
    """
    at = now.replace(microsecond=0).astimezone(dt.UTC).isoformat().replace("+00:00", "Z")
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{name}.{_digest(event, uid, at)}", "namespace": namespace},
        "involvedObject": {
            "apiVersion": f"{GROUP}/{VERSION}",
            "kind": "DisaggregatedLLM",
            "namespace": namespace,
            "name": name,
            "uid": uid,
        },
        "type": event.severity.value,
        "reason": event.reason,
        "message": CUT.cut(event.message),
        "source": {"component": COMPONENT},
        "firstTimestamp": at,
        "lastTimestamp": at,
        "count": 1,
    }


def _digest(event: Event, uid: str, at: str) -> str:
    words = "\n".join((uid, at, *event.key))
    return hashlib.sha256(words.encode()).hexdigest()[:16]


def _scaled(change: Change) -> Event:
    message = f"{change.role} {change.before} -> {change.after}: {change.reason}"
    return Event(
        reason="ScaledUp" if change.after > change.before else "ScaledDown",
        message=message,
        topic=f"{message} at {change.at_s}",  # the same step some minutes later is another
    )


def _put_back(drift: Drift) -> Event:
    message = (
        f"{drift.role} was set to {drift.found} by somebody else and is {drift.wanted} again;"
        " set autoscaling.mode to Paused to scale by hand."
    )
    return Event(reason="ReplicasPutBack", message=message, severity=Severity.WARNING)


def _turns(before: Sequence[Condition], after: Sequence[Condition]) -> list[Event]:
    old = {condition.type: condition for condition in before}
    told = (_turn(old.get(condition.type), condition) for condition in after)
    return [event for event in told if event is not None]


def _turn(old: Condition | None, new: Condition) -> Event | None:
    if old is not None and (old.status, old.reason) == (new.status, new.reason):
        return None
    if new.reason in _TROUBLES:
        return Event(
            reason=new.reason, message=new.message, severity=Severity.WARNING, topic="trouble"
        )
    was = _AT_FIRST.get(Type(new.type)) if old is None else old.status
    turn = _TURNS.get((Type(new.type), new.status))
    if turn is None or was is new.status or _is_first_answer(was, new):
        return None
    return Event(reason=turn[0], message=new.message, severity=turn[1], topic=new.type)


def _is_first_answer(was: ConditionState | None, new: Condition) -> bool:
    """Whether what nobody could judge before turns out as a new fleet has it."""
    return was is _UNKNOWN and new.status is _AT_FIRST.get(Type(new.type))
