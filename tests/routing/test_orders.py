from operator import attrgetter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.routing.model import RouteRequest
from tandem.routing.orders import ORDERS, FeasibleFirst, Order


def request(
    key: str, arrival_s: float = 0.0, deadline_s: float = 2.0, service_s: float = 0.1
) -> RouteRequest:
    return RouteRequest(
        key=key,
        arrival_s=arrival_s,
        deadline_s=deadline_s,
        input_tokens=100,
        service_s=service_s,
    )


def drained(order: Order, now_s: float) -> list[str]:
    keys = []
    while (taken := order.pop(now_s)) is not None:
        keys.append(taken.key)
    return keys


EARLY_BUT_LATE = request("late, came first", arrival_s=0.0, deadline_s=2.0)
ON_TIME = request("on time", arrival_s=1.0, deadline_s=9.0)
URGENT = request("urgent, came last", arrival_s=2.0, deadline_s=4.0)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param("feasible-first", [URGENT, ON_TIME, EARLY_BUT_LATE], id="late ones last"),
        pytest.param("edf", [EARLY_BUT_LATE, URGENT, ON_TIME], id="by deadline alone"),
        pytest.param("fcfs", [EARLY_BUT_LATE, ON_TIME, URGENT], id="by arrival alone"),
    ],
)
def test_three_requests_at_three_seconds(name: str, expected: list[RouteRequest]) -> None:
    order = ORDERS[name]()
    for waiting in (ON_TIME, URGENT, EARLY_BUT_LATE):
        order.push(waiting)
    assert drained(order, now_s=3.0) == [waiting.key for waiting in expected]


def test_what_comes_after_the_prefill_counts_into_the_latest_start() -> None:
    waiting = RouteRequest(
        key="a",
        arrival_s=0.0,
        deadline_s=2.0,
        input_tokens=1,
        service_s=0.5,
        after_prefill_s=0.25,
    )
    assert waiting.latest_start_s() == 1.25


def test_a_request_that_can_start_this_very_moment_is_on_time() -> None:
    order = FeasibleFirst()
    order.push(request("late", arrival_s=0.0, deadline_s=1.0))
    order.push(request("just", arrival_s=1.0, deadline_s=2.0, service_s=0.5))
    assert drained(order, now_s=1.5) == ["just", "late"]


def test_late_requests_are_served_in_the_order_they_came() -> None:
    order = FeasibleFirst()
    for arrival_s, deadline_s in ((3.0, 3.5), (1.0, 4.0), (2.0, 3.0)):
        order.push(request(f"{arrival_s}", arrival_s, deadline_s))
    assert drained(order, now_s=100.0) == ["1.0", "2.0", "3.0"]


requests = st.lists(
    st.builds(
        request,
        key=st.uuids().map(str),
        arrival_s=st.floats(0, 10),
        deadline_s=st.floats(0, 20),
        service_s=st.floats(0, 2),
    ),
    max_size=30,
    unique_by=attrgetter("key"),
)


@given(requests, st.sampled_from(sorted(ORDERS)), st.floats(0, 20))
def test_every_order_gives_back_every_request_once(
    waiting: list[RouteRequest], name: str, now_s: float
) -> None:
    order = ORDERS[name]()
    for each in waiting:
        order.push(each)
    assert sorted(drained(order, now_s)) == sorted(each.key for each in waiting)


@given(requests, st.floats(0, 20))
def test_a_late_request_never_overtakes_one_on_time(
    waiting: list[RouteRequest], now_s: float
) -> None:
    order = FeasibleFirst()
    by_key = {each.key: each for each in waiting}
    for each in waiting:
        order.push(each)
    late = [by_key[key].latest_start_s() < now_s for key in drained(order, now_s)]
    assert late == sorted(late)


@given(requests, st.lists(st.floats(0, 2), min_size=30, max_size=30))
def test_also_while_time_passes_a_late_one_waits_for_all_on_time(
    waiting: list[RouteRequest], steps_s: list[float]
) -> None:
    order = FeasibleFirst()
    left = {each.key: each for each in waiting}
    for each in waiting:
        order.push(each)
    now_s = 0.0
    for step_s in steps_s[: len(waiting)]:
        now_s += step_s
        taken = order.pop(now_s)
        assert taken is not None
        del left[taken.key]
        if taken.latest_start_s() < now_s:
            assert all(other.latest_start_s() < now_s for other in left.values())
        else:
            on_time = [other for other in left.values() if other.latest_start_s() >= now_s]
            assert all(taken.deadline_s <= other.deadline_s for other in on_time)
