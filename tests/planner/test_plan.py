"""`plan` over time: what a fleet does, tick by tick, when its traffic does this or that."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.examples import fewer
from tests.planner.builders import D, P, counts, demand, observation, pair, spec
from tests.planner.observations import pods, traffics

from tandem.api.fallback import OnStale, OnUntrusted
from tandem.planner import memory as memories
from tandem.planner.model import Bottleneck, Memory, Plan
from tandem.planner.observation import Figure, Missing, PodCounts, Reading, Traffic
from tandem.planner.plan import plan
from tandem.planner.prediction import predict
from tandem.planner.sizing import size
from tandem.planner.spec import Behavior, Budget, FleetSpec, RatioBounds, Schedule

CALM = spec(lead_time_s=20.0, behavior=Behavior(down_window_s=60.0, down_max_step=4))


def played(
    rate_rps: Callable[[float], float | Reading],
    until_s: float,
    asked: FleetSpec = CALM,
    start: tuple[int, int] = (3, 2),
    **traffic: Any,
) -> Iterator[tuple[float, tuple[int, int], Plan]]:
    """Ticks of 5 s; pods are there as soon as they are asked for."""
    memory, pods, now_s = Memory(), pair(*start), 0.0
    while now_s < until_s:
        now_s += 5.0
        decided = plan(
            observation(now_s, rate_rps=rate_rps(now_s), pods=pods, **traffic), memory, asked
        )
        memory = decided.memory
        pods = {role: decision.target for role, decision in decided.roles.items()}
        yield now_s, counts(pods), decided


def at(times: Iterator[tuple[float, tuple[int, int], Plan]]) -> dict[float, tuple[int, int]]:
    return {now_s: pods for now_s, pods, _ in times}


def test_a_fleet_of_the_right_size_stands_still() -> None:
    pods = at(played(lambda _: 20.0, 1200.0, start=(4, 2)))

    assert set(pods.values()) <= {(4, 2), (3, 2), (4, 1), (3, 1)}
    assert pods[1200.0] == counts(size(demand(20.5), CALM).replicas)
    assert len(set(list(pods.values())[60:])) <= 2


def test_a_step_up_is_followed_within_a_window_and_stood_ready_for_after_it() -> None:
    """Half of what came had come faster than pods start: a reserve is what meets the next one."""
    pods = at(played(lambda now_s: 60.0 if 300 <= now_s < 600 else 10.0, 900.0))
    high = counts(size(demand(60.0), CALM).replicas)

    assert pods[295.0][0] < high[0]
    assert pods[335.0][0] >= high[0]  # 1.5 lead times after the step
    assert pods[600.0] >= high
    assert pods[900.0][0] >= high[0] - 1


def test_a_rate_that_falls_slowly_takes_the_fleet_along() -> None:
    pods = at(played(lambda now_s: max(10.0, 60.0 - 0.05 * now_s), 1500.0))
    assert pods[200.0] > pods[1500.0]
    assert pods[1500.0][0] <= counts(size(demand(15.0), CALM).replicas)[0] + 1


def test_nothing_is_taken_from_a_fleet_that_has_just_started() -> None:
    """Held for two lead times, and what was held then counts as wished for a window longer."""
    pods = at(played(lambda _: 5.0, 120.0, start=(6, 5)))

    assert all(each == (6, 5) for now_s, each in pods.items() if now_s <= 95.0)
    assert pods[120.0][0] < 6
    assert pods[120.0][1] < 5


def test_a_start_that_is_overrun_adds_what_the_level_needs() -> None:
    pods = at(played(lambda _: 60.0, 10.0, start=(1, 1)))

    assert pods[10.0][0] >= 7


def test_a_backlog_adds_prefill_at_once() -> None:
    calm = at(played(lambda _: 20.0, 10.0))
    queued = at(played(lambda _: 20.0, 10.0, queued_tokens=Figure(1e6)))

    assert queued[10.0][0] > calm[10.0][0]


def test_a_decode_backlog_adds_no_prefill() -> None:
    full: dict[str, Any] = {"kv_usage": {D: Figure(0.99)}, "running": {D: Figure(250.0)}}
    pods = at(played(lambda _: 20.0, 10.0, queued_tokens=Figure(1e6), **full))

    assert pods[10.0][0] == at(played(lambda _: 20.0, 10.0))[10.0][0]
    assert pods[10.0][1] > 2


def test_no_data_holds_and_says_why() -> None:
    decided = plan(observation(5.0, rate_rps=Missing("no scrape")), Memory(), CALM)

    assert {role: d.target for role, d in decided.roles.items()} == pair(1, 1)
    assert decided.roles[P].reason == "held: arrivals are unknown: no scrape"
    assert decided.prediction is None
    assert decided.bottleneck is Bottleneck.NONE


def test_arrivals_without_a_finished_request_hold() -> None:
    decided = plan(observation(5.0, rate_rps=Figure(100.0), pods=pair(2, 2)), Memory(), CALM)

    assert {role: d.target for role, d in decided.roles.items()} == pair(2, 2)
    assert "no request has finished yet" in decided.roles[D].reason


def test_data_that_stops_holds_what_there_is() -> None:
    *_, (now_s, pods, last) = played(lambda _: 60.0, 300.0)
    blind = observation(now_s + 5.0, rate_rps=Missing("gone"), pods=pair(*pods))
    decided = plan(blind, last.memory, CALM)

    assert {role: d.target for role, d in decided.roles.items()} == pair(*pods)


CAREFUL = replace(
    CALM,
    roles=spec(high=(30, 20), lead_time_s=20.0).roles,
    behavior=replace(CALM.behavior, up_max_step=8, stale_after_s=60.0),
    on_stale=OnStale.MAX,
)


def ends_at_300(now_s: float) -> float | Reading:
    return 20.0 if now_s <= 300 else Missing("no scrape")


def test_figures_that_stay_away_take_a_careful_fleet_to_its_maximum() -> None:
    """At the pace of any other move, and not before they were missed for as long as one may be old."""
    told = {now_s: (pods, each) for now_s, pods, each in played(ends_at_300, 420.0, CAREFUL)}
    before = told[300.0][0]

    assert told[360.0][0] == before
    assert told[365.0][0] == (before[0] + 8, before[1] + 8)
    assert told[385.0][0] == (30, 20)
    assert told[420.0][0] == (30, 20)
    reason = told[365.0][1].roles[P].reason
    assert f"onStale {before[0]} -> 30: unknown for 60 s and more" in reason
    assert f"scaleUpStep 30 -> {before[0] + 8}" in reason


def test_a_fleet_that_is_held_stays_so_however_long() -> None:
    pods = at(played(ends_at_300, 900.0, replace(CAREFUL, on_stale=OnStale.HOLD)))

    assert pods[900.0] == pods[300.0]


@pytest.mark.parametrize(
    "away",
    [
        pytest.param(Missing("no scrape"), id="missing"),
        pytest.param(Figure(100.0, age_s=61.0), id="too old"),
    ],
)
def test_figures_that_come_and_go_within_their_age_move_nothing(away: Reading) -> None:
    pods = at(played(lambda now_s: 20.0 if now_s % 60 < 5 else away, 1200.0, CAREFUL))

    assert pods[1200.0] == at(played(lambda _: 20.0, 1200.0, CAREFUL))[1200.0]
    assert all(prefill <= 3 and decode <= 2 for prefill, decode in pods.values())


def test_a_figure_that_comes_back_for_a_moment_does_not_let_a_full_fleet_go() -> None:
    def flickers(now_s: float) -> float | Reading:
        return 20.0 if now_s <= 300 or now_s % 100 < 5 else Missing("no scrape")

    pods = at(
        played(
            flickers,
            1200.0,
            replace(CAREFUL, behavior=replace(CAREFUL.behavior, down_window_s=300.0)),
        )
    )

    assert {each for now_s, each in pods.items() if now_s >= 400} == {(30, 20)}


def test_figures_that_are_back_let_a_full_fleet_go_after_the_window() -> None:
    def back(now_s: float) -> float | Reading:
        return Missing("no scrape") if 300 < now_s <= 500 else 20.0

    pods = at(played(back, 800.0, CAREFUL))

    assert pods[555.0] == (30, 20)
    assert pods[565.0] < (30, 20)
    assert pods[800.0] == pods[300.0]


def test_a_restart_counts_anew_how_long_figures_were_missed() -> None:
    *_, (now_s, pods, last) = played(ends_at_300, 355.0, CAREFUL)
    stored, _ = memories.from_json(memories.to_json(last.memory))
    seen = observation(now_s + 1000.0, rate_rps=Missing("first scrape"), pods=pair(*pods))

    assert counts({r: each.target for r, each in plan(seen, stored, CAREFUL).roles.items()}) == pods


def test_the_most_is_kept_within_ratio_and_budget() -> None:
    bound = replace(CAREFUL, budget=Budget(accelerators=24), ratio=RatioBounds(highest=(1, 1)))
    pods = at(played(ends_at_300, 500.0, bound))

    assert pods[500.0] == (12, 12)


def test_traffic_that_fades_leaves_the_minimum() -> None:
    asked = replace(CALM, roles=spec(low=(2, 1), lead_time_s=20.0).roles)
    pods = at(played(lambda now_s: max(0.0, 40.0 - now_s / 40), 2000.0, asked))

    assert pods[300.0][0] > 2
    assert pods[2000.0] == (2, 1)


def test_traffic_that_breaks_off_is_stood_ready_for_within_the_hour() -> None:
    asked = replace(CALM, roles=spec(low=(2, 1), lead_time_s=20.0).roles)
    pods = at(played(lambda now_s: 40.0 if now_s < 600 else 0.0, 4500.0, asked))

    assert pods[900.0][0] > 2
    assert pods[4500.0] == (2, 1)


def test_each_limit_that_bit_is_told_with_its_numbers() -> None:
    asked = spec(high=(4, 4), behavior=Behavior(up_max_step=2))
    *_, (_, _, decided) = played(lambda _: 100.0, 15.0, asked, start=(1, 1))
    prefill = decided.roles[P]

    assert prefill.target == 4
    assert prefill.unclamped == 11
    assert [(c.limit, c.before, c.after) for c in prefill.clamps] == [("bounds", 11, 4)]
    assert "the best pair that min, max, ratio and budget allow" in prefill.reason
    assert decided.prediction is not None
    assert decided.bottleneck is Bottleneck.PREFILL_COMPUTE

    first = next(iter(played(lambda _: 100.0, 15.0, asked, start=(1, 1))))[2]
    assert [(c.limit, c.before, c.after) for c in first.roles[P].clamps] == [
        ("bounds", 11, 4),
        ("scaleUpStep", 4, 3),
    ]
    assert "at most 2 more at a time" in first.roles[P].reason


def test_static_and_hpa_run_through_the_same_limits() -> None:
    fixed = replace(CALM, policy="static", parameters={"prefill": 5.0, "decode": 4.0})
    assert at(played(lambda _: 1.0, 30.0, fixed))[30.0] == (5, 4)

    busy = {"utilisation": {P: Figure(1.0), D: Figure(0.7)}}
    scaled = at(played(lambda _: 20.0, 5.0, replace(CALM, policy="hpa"), start=(4, 4), **busy))
    assert scaled[5.0] == (6, 4)


def test_what_comes_of_a_plan_is_predicted_when_it_is_asked_for_and_once() -> None:
    decided = plan(observation(5.0, rate_rps=20.0, pods=pair(3, 2)), Memory(), CALM)

    with patch("tandem.planner.plan.predict", wraps=predict) as asked:
        told = decided.prediction
        assert told is not None
        assert decided.bottleneck is told.bottleneck
        assert decided.prediction is told

    assert asked.call_count == 1


def test_the_memory_survives_a_restart() -> None:
    *_, (now_s, pods, last) = played(lambda _: 40.0, 300.0)
    stored, reason = memories.from_json(memories.to_json(last.memory))
    seen = observation(now_s + 5.0, rate_rps=40.0, pods=pair(*pods))

    assert not reason
    assert plan(seen, stored, CALM).roles == plan(seen, last.memory, CALM).roles


@given(
    looks=st.lists(
        st.tuples(st.floats(0, 50), traffics, st.fixed_dictionaries({P: pods, D: pods})),
        min_size=1,
        max_size=6,
    ),
    policy=st.sampled_from(["tandem", "hpa"]),
    answers=st.tuples(st.sampled_from(OnStale), st.sampled_from(OnUntrusted)),
)
def test_no_observation_raises_or_leads_outside_what_is_allowed(
    looks: list[tuple[float, Traffic, dict[Any, PodCounts]]],
    policy: str,
    answers: tuple[OnStale, OnUntrusted],
) -> None:
    asked = spec(
        low=(1, 2),
        high=(9, 8),
        ratio=RatioBounds(lowest=(1, 3), highest=(2, 1)),
        budget=Budget(accelerators=12),
        policy=policy,
        lead_time_s=5.0,
        on_stale=answers[0],
        on_untrusted=answers[1],
        schedules=(Schedule(cron="* * * * *", lasts_s=30.0, floors=pair(3, 5)),),
    )
    now_s, memory = 0.0, Memory()
    for passed_s, traffic, there in looks:
        now_s += passed_s
        seen = replace(observation(now_s), traffic=traffic, pods=there)
        decided = plan(seen, memory, asked)
        targets = counts({role: d.target for role, d in decided.roles.items()})

        assert 1 <= targets[0] <= 9
        assert 2 <= targets[1] <= 8
        assert sum(targets) <= 12
        assert asked.ratio.allow(*targets)
        again = plan(seen, memory, asked)
        assert decided == again
        assert repr(decided.prediction) == repr(again.prediction), "NaN would differ from itself"
        assert len(memories.to_json(decided.memory)) < 64 * 1024
        memory = decided.memory


@fewer(40)
@given(st.floats(0, 60), st.floats(0, 60), st.sampled_from([(500, 0, 100), (2000, 500, 400)]))
def test_more_load_never_means_fewer_replicas(
    rate_rps: float, more_rps: float, lengths: tuple[int, int, int]
) -> None:
    """Of a fleet that grows from one pair; in all, since roles may trade a replica at equal cost."""
    now, busier = (
        list(played(lambda _, rate=rate: rate, 30.0, start=(1, 1), lengths=lengths))[-1][1]  # type: ignore[misc]
        for rate in (rate_rps, rate_rps + more_rps)
    )

    assert sum(busier) >= sum(now)
