import datetime as dt
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.controller.builders import FAILED, NOW, change, fleet, later, tick
from tests.planner.builders import D, P

from tandem.api.fleet_status import FleetStatus
from tandem.cluster.kubernetes.fleet import Drift
from tandem.controller.events import (
    AGAIN_S,
    MOST_A_MINUTE,
    Event,
    Sent,
    Severity,
    body,
    due,
    events,
)
from tandem.controller.loop import Tick
from tandem.controller.reasons import Reason, Trouble
from tandem.controller.status import fleet_status
from tandem.planner.observation import Figure, Missing, PodCounts

FEW = {P: PodCounts(desired=2, ready=0, starting=2), D: PodCounts(desired=1, ready=1)}
BLIND = tick(rate_rps=Missing("no scrape for 75 s"))
POOR = tick(met_both=Figure(50.0))


def told(made: Tick | None = None, *troubles: Trouble, mode: str = "Auto") -> FleetStatus:
    resource = fleet(autoscaling__mode=mode)
    return fleet_status(resource, made or tick(), None, 1, NOW, troubles=troubles)


def reasons(before: FleetStatus | None, after: FleetStatus) -> list[str]:
    return [event.reason for event in events(None, before, after)]


def test_each_change_of_replicas_is_told_with_its_reason() -> None:
    scaled = tick(changes=[change(P, 2, 3, "more prompts"), change(D, 5, 4, "fewer answers")])

    assert [(e.reason, e.message, e.severity) for e in events(scaled, told(), told())] == [
        ("ScaledUp", "prefill 2 -> 3: more prompts", Severity.NORMAL),
        ("ScaledDown", "decode 5 -> 4: fewer answers", Severity.NORMAL),
    ]


def test_a_step_that_is_taken_again_is_told_again() -> None:
    sent, steps = Sent(), []
    for after_s in (0.0, 30.0):
        again = replace(change(P, 2, 1, "nobody comes"), at_s=after_s)
        now, sent = due(sent, events(tick(changes=[again]), told(), told()), later(after_s))
        steps += [each.message for each in now]

    assert steps == ["prefill 2 -> 1: nobody comes"] * 2


def test_replicas_that_somebody_changed_are_put_back_and_said() -> None:
    (event,) = events(None, told(), told(), [Drift(D, "chat-decode", wanted=3, found=7)])

    assert event.reason == "ReplicasPutBack"
    assert event.severity is Severity.WARNING
    assert event.message.startswith("decode was set to 7 by somebody else and is 3 again;")


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        pytest.param(told(), told(), [], id="nothing turned"),
        pytest.param(None, told(), ["Ready"], id="a fleet that is well from the first"),
        pytest.param(None, told(tick(pods=FEW)), [], id="a fleet that starts"),
        pytest.param(told(tick(pods=FEW)), told(), ["Ready"], id="it gets ready"),
        pytest.param(told(), told(tick(pods=FEW)), ["NotReady"], id="it lost its pods"),
        pytest.param(told(), told(BLIND), ["MetricsMissing"], id="figures are gone"),
        pytest.param(told(BLIND), told(), ["MetricsFresh"], id="figures are back"),
        pytest.param(told(), told(POOR), ["SLOMissed"], id="objective missed"),
        pytest.param(told(POOR), told(), ["SLOMet"], id="objective met again"),
        pytest.param(told(), told(mode="Paused"), ["Paused"], id="paused"),
        pytest.param(None, told(mode="Paused"), ["Ready", "Paused"], id="paused from the first"),
        pytest.param(told(mode="Paused"), told(), ["Resumed"], id="resumed"),
        pytest.param(told(), told(FAILED), ["ApiError"], id="API server away"),
        pytest.param(told(FAILED), told(), ["Ready", "Reconciled"], id="API server back"),
        pytest.param(
            told(),
            told(tick(), Trouble(Reason.IMAGE_PULL_FAILED, "x")),
            ["ImagePullFailed"],
            id="image",
        ),
        pytest.param(
            told(),
            told(tick(pods=FEW), Trouble(Reason.UNSCHEDULABLE, "x")),
            ["Unschedulable"],
            id="a trouble that shows in three conditions",
        ),
        pytest.param(
            told(tick(), Trouble(Reason.UNSCHEDULABLE, "x")),
            told(),
            ["CapacityAvailable"],
            id="room again",
        ),
        pytest.param(
            told(), told(tick(), Trouble(Reason.INVALID_SPEC, "x")), ["InvalidSpec"], id="spec"
        ),
        pytest.param(
            told(),
            told(tick(), Trouble(Reason.MEMORY_REBUILT, "x")),
            ["MemoryRebuilt"],
            id="memory",
        ),
    ],
)
def test_a_condition_is_told_when_it_turns(
    before: FleetStatus | None, after: FleetStatus, expected: list[str]
) -> None:
    assert reasons(before, after) == expected


def test_other_words_for_a_trouble_that_lasts_are_no_news() -> None:
    before = told(tick(), Trouble(Reason.PODS_NOT_READY, "back-off 20s"))
    after = told(tick(), Trouble(Reason.PODS_NOT_READY, "back-off 40s"))

    assert events(None, before, after) == ()


# -- once, and never a flood -----------------------------------------------------------------------


def event(message: str = "prefill 2 -> 3", **changes: Any) -> Event:
    return Event(**{"reason": "ScaledUp", "message": message, **changes})


@pytest.mark.parametrize(
    ("second", "after_s", "sent"),
    [
        pytest.param(event(), 599.0, False, id="the same within ten minutes"),
        pytest.param(event(), 600.0, True, id="the same later"),
        pytest.param(event("prefill 3 -> 4"), 1.0, True, id="another message"),
        pytest.param(event(reason="ScaledDown"), 1.0, True, id="another reason"),
        pytest.param(event(), -1.0, True, id="a clock that went back"),
    ],
)
def test_the_same_is_not_told_twice_within_ten_minutes(
    second: Event, after_s: float, *, sent: bool
) -> None:
    first, memory = due(Sent(), [event()], NOW)
    again, _ = due(memory, [second], later(after_s))

    assert first == (event(),)
    assert again == ((second,) if sent else ())


def test_a_topic_stands_for_a_message_whose_figures_change() -> None:
    _, memory = due(Sent(), [event("98.1 %", topic="SLOMet")], NOW)

    assert due(memory, [event("97.9 %", topic="SLOMet")], later(60))[0] == ()


def test_one_fleet_tells_so_many_a_minute_and_then_goes_on() -> None:
    many = [event(f"change {n}") for n in range(25)]
    first, memory = due(Sent(), many, NOW)
    second, memory = due(memory, many, later(59))
    third, _ = due(memory, many, later(61))

    assert len(first) == MOST_A_MINUTE
    assert second == ()
    assert third == tuple(many[MOST_A_MINUTE : 2 * MOST_A_MINUTE])


@given(
    st.lists(
        st.tuples(st.floats(0.0, 120.0), st.lists(st.integers(0, 40), max_size=15)), max_size=12
    )
)
def test_whatever_happens_there_is_no_flood(turns: list[tuple[float, list[int]]]) -> None:
    sent_at: list[tuple[float, tuple[str, str]]] = []
    memory, now_s = Sent(), 0.0
    for pause_s, numbers in turns:
        now_s += pause_s
        fresh, memory = due(memory, [event(str(n)) for n in set(numbers)], later(now_s))
        sent_at += [(now_s, each.key) for each in fresh]
        assert sum(at > now_s - 60 for at, _ in sent_at) <= MOST_A_MINUTE
        recent = [key for at, key in sent_at if at > now_s - AGAIN_S]
        assert len(recent) == len(set(recent))
    assert len(memory.times_s) <= MOST_A_MINUTE * AGAIN_S / 60 + MOST_A_MINUTE


def test_an_event_is_about_the_fleet_and_its_message_fits() -> None:
    made = body(event("ä" * 3000, severity=Severity.WARNING), "team", "chat", "uid-1", NOW)

    assert len(json.dumps(made.pop("message"))) <= 1024
    assert made["metadata"].pop("name").startswith("chat.")
    assert made == {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"namespace": "team"},
        "involvedObject": {
            "apiVersion": "tandem.dev/v1alpha1",
            "kind": "DisaggregatedLLM",
            "namespace": "team",
            "name": "chat",
            "uid": "uid-1",
        },
        "type": "Warning",
        "reason": "ScaledUp",
        "source": {"component": "tandem-operator"},
        "firstTimestamp": "2026-05-01T12:00:00Z",
        "lastTimestamp": "2026-05-01T12:00:00Z",
        "count": 1,
    }


def test_the_same_news_has_one_name_and_other_news_another() -> None:
    def name(message: str, uid: str, at: dt.datetime) -> str:
        return str(body(event(message), "team", "chat", uid, at)["metadata"]["name"])

    names = [
        name("a", "u", NOW),
        name("b", "u", NOW),
        name("a", "v", NOW),
        name("a", "u", later(1)),
    ]
    assert len(set(names)) == 4
    assert name("a", "u", NOW) == names[0]
