from dataclasses import replace
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.planner.builders import D, P, observation, pair, spec

from tandem.api.fallback import OnStale
from tandem.planner import limits
from tandem.planner.cells import Cells
from tandem.planner.limits import LIMITS, limited, with_wishes
from tandem.planner.model import Memory
from tandem.planner.observation import Figure, Missing, PodCounts
from tandem.planner.situation import Limit, Situation
from tandem.planner.spec import Behavior, Budget, Domain, RatioBounds, Schedule
from tandem.planner.survivors import survivors

BEHAVIOR = Behavior(up_max_step=4, down_window_s=100.0, down_max_step=2, stale_after_s=30.0)
LONG_AGO = Memory(started_s=0.0)


def situation(
    now: tuple[int, int] = (5, 5),
    *,
    memory: Memory = LONG_AGO,
    now_s: float = 1000.0,
    traffic: dict[str, Any] | None = None,
    pods: dict[Any, PodCounts] | None = None,
    **spec_fields: Any,
) -> Situation:
    return Situation(
        observation=observation(now_s, pods=pods or pair(*now), **(traffic or {})),
        memory=memory,
        spec=spec(**{"behavior": BEHAVIOR, **spec_fields}),
    )


def after(limit: Limit, where: Situation, *wish: int) -> tuple[int, int]:
    targets = limit(where, pair(*wish)).targets
    return targets[P], targets[D]


@pytest.mark.parametrize(
    ("arrivals", "reason"),
    [
        pytest.param(Missing("no scrape"), "no scrape", id="missing"),
        pytest.param(Figure(10.0, age_s=31.0), "31 s old", id="stale"),
        pytest.param(Figure(float("nan")), "no plausible value", id="not a number"),
        pytest.param(Figure(-1.0), "no plausible value", id="negative"),
        pytest.param(Figure(1e9), "no plausible value", id="more than there is"),
        pytest.param(Figure(float("inf")), "no plausible value", id="infinite"),
    ],
)
def test_nothing_moves_on_figures_that_can_not_be_believed(arrivals: Any, reason: str) -> None:
    held = limits.hold(situation(traffic={"rate_rps": arrivals}), pair(9, 1))

    assert held.targets == pair(5, 5)
    assert reason in held.reason


def test_a_policy_that_needs_no_figures_moves_without() -> None:
    blind = replace(situation(traffic={"rate_rps": Missing("none")}), needs_traffic=False)

    assert after(limits.hold, blind, 9, 1) == (9, 1)


def test_fresh_figures_hold_nothing() -> None:
    assert after(limits.hold, situation(), 9, 1) == (9, 1)


@pytest.mark.parametrize(
    ("limit", "wish", "expected"),
    [
        pytest.param(limits.up_step, (20, 7), (9, 7), id="up by four at most"),
        pytest.param(limits.up_step, (1, 1), (1, 1), id="the up step does not slow the way down"),
        pytest.param(limits.down_step, (1, 4), (3, 4), id="down by two at most"),
        pytest.param(limits.down_step, (20, 20), (20, 20), id="the down step is none upward"),
        pytest.param(limits.minimum, (1, 9), (2, 9), id="minimum"),
        pytest.param(limits.maximum, (11, 99), (11, 12), id="maximum"),
        pytest.param(limits.ratio, (2, 9), (3, 9), id="ratio raises the short role"),
        pytest.param(limits.budget, (9, 9), (7, 7), id="budget cuts both"),
    ],
)
def test_each_limit_alone(limit: Limit, wish: tuple[int, int], expected: tuple[int, int]) -> None:
    bounded = situation(
        low=(2, 2),
        high=(12, 12),
        ratio=RatioBounds(lowest=(1, 3)),
        budget=Budget(accelerators=14),
    )

    assert after(limit, bounded, *wish) == expected


WISHES = {P: ((850.0, 9), (950.0, 4), (990.0, 3)), D: ()}


@pytest.mark.parametrize(
    ("wish", "expected"),
    [
        pytest.param((2, 5), (4, 5), id="the highest wish of the window"),
        pytest.param((4, 5), (4, 5), id="as wished before"),
        pytest.param((6, 5), (6, 5), id="up at once"),
        pytest.param((5, 2), (5, 2), id="nothing else was wished for"),
    ],
)
def test_fewer_only_when_none_of_the_window_wished_for_more(
    wish: tuple[int, int], expected: tuple[int, int]
) -> None:
    remembered = situation(memory=replace(LONG_AGO, wishes=WISHES))

    assert after(limits.down_window, remembered, *wish) == expected


def test_what_stood_at_the_start_counts_as_wished_until_a_window_has_passed() -> None:
    young = situation(memory=Memory(started_s=950.0))

    assert after(limits.down_window, young, 1, 1) == (5, 5)


def test_a_policy_may_ask_for_a_longer_window() -> None:
    longer = replace(situation(memory=replace(LONG_AGO, wishes=WISHES)), hold_s=200.0)

    assert after(limits.down_window, longer, 2, 2) == (5, 2)


BUSY = Memory(
    started_s=0.0,
    rates=((940.0, 60.0, 1200.0), (1000.0, 60.0, 1200.0)),
    cells=Cells.of((1000, 0, 200, 9.0)),
)  # 2 s of prefill a second, one decode replica


@pytest.mark.parametrize(
    ("wish", "goal", "traffic", "expected"),
    [
        pytest.param((4, 4), 0.99, {}, (4, 4), id="four serve what comes"),
        pytest.param((2, 4), 0.99, {}, (5, 4), id="two would be busy all of their time"),
        pytest.param((2, 4), 0.0, {}, (2, 4), id="the policy does not ask"),
        pytest.param((9, 4), 0.99, {}, (9, 4), id="more goes unasked"),
        pytest.param(
            (4, 1), 0.99, {"running": {D: Figure(80.0)}}, (4, 5), id="400 residents need room"
        ),
        pytest.param(
            (4, 4), 0.99, {"queued_tokens": Figure(1e7)}, (5, 4), id="so many wait for prefill"
        ),
    ],
)
def test_fewer_only_if_those_that_stay_serve_what_is_there(
    wish: tuple[int, int], goal: float, traffic: dict[str, Any], expected: tuple[int, int]
) -> None:
    asked = replace(situation(memory=BUSY, traffic=traffic), goal=goal)
    limited = survivors(asked, pair(*wish))

    assert (limited.targets[P], limited.targets[D]) == expected
    if expected != wish:
        assert limited.reason == "fewer would not serve 99 % of what comes now in time"


def test_survivors_of_traffic_that_nobody_knows_are_not_asked_for() -> None:
    assert after(survivors, replace(situation(), goal=0.99), 1, 1) == (1, 1)


def test_wishes_that_a_later_one_exceeds_are_forgotten() -> None:
    memory = replace(LONG_AGO, wishes=WISHES)
    kept = with_wishes(situation(memory=memory), pair(4, 1)).wishes

    assert kept == {P: ((1000.0, 4),), D: ((1000.0, 1),)}
    kept = with_wishes(situation(memory=memory), pair(2, 1)).wishes
    assert kept[P] == ((950.0, 4), (990.0, 3), (1000.0, 2))


def test_the_budget_frees_before_it_takes() -> None:
    """8 accelerators, all taken: one decode less now, one prefill more when it is gone."""
    full = situation((4, 4), budget=Budget(accelerators=8))
    assert after(limits.budget, full, 5, 3) == (4, 3)

    leaving = {P: PodCounts(desired=4, ready=4), D: PodCounts(desired=3, ready=3, draining=1)}
    draining = situation(pods=leaving, budget=Budget(accelerators=8))
    assert after(limits.budget, draining, 5, 3) == (4, 3)

    gone = situation((4, 3), budget=Budget(accelerators=8))
    assert after(limits.budget, gone, 5, 3) == (5, 3)


def test_domains_keep_a_target_that_can_be_placed() -> None:
    """Ten accelerators of which each domain of five holds one pod of three and one of two."""
    domains = tuple(Domain(name=name, accelerators=5) for name in "ab")
    where = situation((2, 2), domains=domains)
    roles = {
        role: replace(row, profile=replace(row.profile, accelerators=count))
        for (role, row), count in zip(where.spec.roles.items(), (3, 2), strict=True)
    }
    where = replace(where, spec=replace(where.spec, roles=roles))

    assert after(limits.placement, where, 2, 2) == (2, 2)
    assert after(limits.placement, where, 3, 1) == (2, 1)
    assert after(limits.placement, where, 1, 9) == (1, 3)
    assert after(limits.placement, situation((2, 2)), 99, 99) == (99, 99)
    assert limits.placement(where, pair(3, 1)).reason == "what its domains can hold"


def test_a_change_is_said_with_its_limit_and_reason() -> None:
    targets, clamps = limited(situation(high=(6, 64)), pair(20, 5))

    assert targets == pair(6, 5)
    assert [(c.limit, c.role, c.before, c.after) for c in clamps] == [
        ("scaleUpStep", P, 20, 9),
        ("max", P, 9, 6),
    ]
    assert clamps[0].reason == "at most 4 more at a time"


def test_the_order_is_the_one_that_is_told() -> None:
    assert [name for name, _ in LIMITS] == [
        "hold",
        "onStale",
        "scaleUpStep",
        "scaleDownWindow",
        "scaleDownStep",
        "survivors",
        "min",
        "schedule",
        "max",
        "ratio",
        "placement",
        "budget",
    ]


counts = st.integers(0, 12)
pods = st.builds(PodCounts, desired=counts, ready=counts, starting=counts, draining=counts)


@given(
    wish=st.tuples(st.integers(0, 40), st.integers(0, 40)),
    seen=st.fixed_dictionaries({P: pods, D: pods}),
    low=st.tuples(st.integers(0, 3), st.integers(0, 3)),
    more=st.tuples(st.integers(0, 8), st.integers(0, 8)),
    lowest=st.tuples(st.integers(0, 3), st.integers(1, 3)),
    budget=st.integers(0, 20),
    floor=st.tuples(st.integers(1, 14), st.integers(1, 14)),
    unknown=st.booleans(),
)
def test_whatever_is_wished_and_seen_the_outcome_is_allowed(  # noqa: PLR0917 - hypothesis
    wish: tuple[int, int],
    seen: dict[Any, PodCounts],
    low: tuple[int, int],
    more: tuple[int, int],
    lowest: tuple[int, int],
    budget: int,
    floor: tuple[int, int],
    unknown: bool,  # noqa: FBT001
) -> None:
    high = (low[0] + more[0], low[1] + more[1])
    ratio = RatioBounds(lowest=lowest)
    allowed = [
        (p, d)
        for p, d in product(range(low[0], high[0] + 1), range(low[1], high[1] + 1))
        if ratio.allow(p, d) and p + d <= budget
    ]
    where = situation(
        pods=seen,
        low=low,
        high=high,
        ratio=ratio,
        budget=Budget(accelerators=budget),
        schedules=(Schedule(cron="* * * * *", lasts_s=60.0, floors=pair(*floor)),),
        on_stale=OnStale.MAX,
        memory=replace(LONG_AGO, unknown_s=900.0),
        traffic={"rate_rps": Missing("none")} if unknown else {},
    )
    targets, _ = limited(where, pair(*wish))

    assert not allowed or (targets[P], targets[D]) in allowed
    alive = {role: each.ready + each.starting for role, each in seen.items()}
    gone = sum(each.draining for each in seen.values())
    room = budget - sum(alive.values()) - gone
    grown = sum(max(0, targets[role] - alive[role]) for role in (P, D))
    could_fit = [
        (p, d) for p, d in allowed if max(0, p - alive[P]) + max(0, d - alive[D]) <= max(0, room)
    ]
    assert not could_fit or grown <= max(0, room)
