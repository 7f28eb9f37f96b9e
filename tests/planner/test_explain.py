"""An explanation tells what was decided and why; thresholds are held against the planner itself."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.examples import fewer
from tests.planner.builders import D, P, counts, demand, observation, pair, spec
from tests.planner.observations import pods, traffics

from tandem.api.role import Role
from tandem.planner.explain import explained, of_sizing
from tandem.planner.explanation import Explanation, Relaxation, Threshold, from_json, to_json
from tandem.planner.model import Memory, Plan
from tandem.planner.observation import Figure, LengthCounts, Missing, Observation, Traffic
from tandem.planner.plan import plan
from tandem.planner.policies.table import POLICIES, named
from tandem.planner.sizing import size
from tandem.planner.spec import Behavior, Budget, FleetSpec, RatioBounds, Schedule, Slo

CALM = spec(lead_time_s=20.0, behavior=Behavior(down_window_s=0.0, down_max_step=64))


def settled(
    rate_rps: float, asked: FleetSpec = CALM, start: tuple[int, int] = (1, 1), ticks: int = 90
) -> tuple[Observation, Memory]:
    """What the next tick of a fleet at a steady load is made from."""
    memory, replicas = Memory(), pair(*start)
    for tick in range(1, ticks):
        seen = observation(5.0 * tick, rate_rps=rate_rps, pods=replicas)
        decided = plan(seen, memory, asked)
        memory = decided.memory
        replicas = {role: each.target for role, each in decided.roles.items()}
    return observation(5.0 * ticks, rate_rps=rate_rps, pods=replicas), memory


def at_growth(seen: Observation, memory: Memory, asked: FleetSpec, growth: float) -> Plan:
    """The plan if all arrivals had been so many times as many."""
    arrivals = seen.traffic.arrivals
    assert isinstance(arrivals, Figure)
    assert isinstance(seen.traffic.lengths, LengthCounts)
    traffic = replace(
        seen.traffic,
        arrivals=replace(arrivals, value=arrivals.value * growth),
        prompts=LengthCounts(cells=seen.traffic.lengths.cells.times(growth)),
    )
    return plan(replace(seen, traffic=traffic), grown(memory, asked, growth), asked)


def grown(memory: Memory, asked: FleetSpec, growth: float) -> Memory:
    """What would be remembered of so many times as many arrivals."""
    rates, work = (
        tuple((at_s, span_s, came * growth) for at_s, span_s, came in rows)
        for rows in (memory.rates, memory.work)
    )
    facts = named(asked.policy).grown(memory.facts, growth)
    return replace(memory, rates=rates, work=work, facts=facts)


def unclamped(decided: Plan) -> dict[Role, int]:
    return {role: each.unclamped for role, each in decided.roles.items()}


def test_it_tells_what_was_decided() -> None:
    asked = spec(high=(4, 4), behavior=Behavior(up_max_step=2))
    seen, memory = settled(100.0, asked, ticks=1)
    told, decided = explained(seen, memory, asked), plan(seen, memory, asked)

    assert told.wish == unclamped(decided)
    assert told.result == {role: each.target for role, each in decided.roles.items()}
    assert [(each.limit, counts(each.before), counts(each.after)) for each in told.limits] == [
        ("bounds", (11, 4), (4, 4)),
        ("scaleUpStep", (4, 4), (3, 3)),
    ]
    assert told.before == pair(1, 1)
    assert told.runner_up == decided.runner_up
    assert decided.prediction is not None
    assert told.outlook.result is not None
    assert told.outlook.result.attainment == pytest.approx(decided.prediction.attainment, abs=1e-6)
    assert min(told.stages, key=lambda each: each.growth or 0).stage is decided.bottleneck


def test_inputs_carry_age_or_why_they_are_missing() -> None:
    seen = observation(
        5.0,
        rate_rps=Figure(100.0, age_s=7.26, exact=False),
        queued_tokens=Figure(float("nan")),
        kv_usage={D: Figure(0.5, age_s=90.0)},
        finished=Missing("no scrape for 75 s"),
    )
    told = {each.figure: each for each in explained(seen, Memory(), CALM).inputs}

    assert (told["arrivals"].value, told["arrivals"].age_s) == (100.0, 7.3)
    assert not told["arrivals"].exact
    assert not told["arrivals"].missing
    assert (told["queuedTokens"].value, told["queuedTokens"].missing) == (
        None,
        "nan is no plausible value",
    )
    assert (told["kvUsage.decode"].value, told["kvUsage.decode"].missing) == (0.5, "90 s old")
    assert told["finished"].missing == "no scrape for 75 s"


def test_the_state_tells_what_is_believed_and_how_much_backs_it() -> None:
    seen, memory = settled(20.0)
    slow = replace(
        seen,
        traffic=replace(
            seen.traffic,
            utilisation={P: Figure(1.0)},
            finished=Figure(100.0),
            met_both=Figure(97.0),
            ttft_s=Figure(0.4),
        ),
    )
    told = explained(slow, memory, CALM)

    assert told.state.rate_rps == 20.0
    assert told.state.lengths is not None
    assert (told.state.lengths.input_mean, told.state.lengths.output_p95) == (1000.0, 200.0)
    prefill = told.state.roles[P]
    assert prefill.times > 1
    assert prefill.requests == 100.0
    assert prefill.lead_time_s == 20.0
    assert prefill.level_rps is not None
    assert prefill.ready_rps is not None
    assert prefill.ready_rps >= prefill.level_rps > 0
    assert told.state.roles[D].requests == 0
    assert "ease.doublings" in told.state.facts
    assert told.outlook.observed is not None
    assert (told.outlook.observed.attainment, told.outlook.observed.ttft_s) == (0.97, 0.4)


def test_a_fleet_that_is_held_says_why_and_that_no_load_would_move_it() -> None:
    _, memory = settled(20.0)
    blind = observation(455.0, rate_rps=Missing("no scrape"), pods=pair(3, 2))
    told = explained(blind, memory, CALM)

    assert told.result == pair(3, 2)
    assert told.reasons[P] == "held: arrivals are unknown: no scrape"
    assert told.what_if.more == told.what_if.fewer == ()


@pytest.mark.parametrize("rate_rps", [3.0, 20.0, 60.0, 140.0])
@pytest.mark.parametrize("policy", ["tandem", "tokenscale"])
def test_a_load_that_is_said_to_change_the_wish_does_and_none_nearer(
    rate_rps: float, policy: str
) -> None:
    asked = replace(CALM, policy=policy)
    seen, memory = settled(rate_rps, asked)
    told = explained(seen, memory, asked)

    assert P in {each.role for each in told.what_if.more}
    for each in (*told.what_if.more, *told.what_if.fewer):
        away = 1.01 if each.replicas > told.wish[each.role] else 1 / 1.01
        beyond = at_growth(seen, memory, asked, each.growth * away)
        before = at_growth(seen, memory, asked, each.growth / away)

        assert unclamped(beyond)[each.role] == each.replicas
        assert unclamped(before)[each.role] == told.wish[each.role]
        assert each.rate_rps == pytest.approx(each.growth * rate_rps, rel=2e-3)


def changed(each: Relaxation, value: float) -> Slo:
    """The SLO with the target of that name changed."""
    changes: dict[str, Any] = {each.target: value}
    return replace(CALM.slo, **changes)


@pytest.mark.parametrize("rate_rps", [8.0, 50.0, 100.0, 140.0])
def test_an_slo_that_is_said_to_save_a_replica_does_and_a_tighter_one_does_not(
    rate_rps: float,
) -> None:
    seen, memory = settled(rate_rps)
    told = explained(seen, memory, CALM)

    assert told.what_if.slo
    for each in told.what_if.slo:
        enough = replace(CALM, slo=changed(each, each.to))
        tighter = replace(CALM, slo=changed(each, _tighter(each)))

        assert unclamped(plan(seen, memory, enough)) == each.replicas
        assert sum(each.replicas.values()) < sum(told.wish.values())
        assert sum(unclamped(plan(seen, memory, tighter)).values()) >= sum(told.wish.values())


def _tighter(each: Relaxation) -> float:
    """A step and a half back on the way."""
    if each.target == "attainment":
        return 1 - (1 - each.to) / 1.03
    return each.to / 1.03


ALWAYS = Schedule(cron="* * * * *", lasts_s=3600.0, floors={P: 20, D: 1})
LIMITED = {
    "a role's maximum": (spec(high=(4, 64)), {"prefill max"}),
    "both roles' maximum": (spec(high=(4, 3)), {"prefill max", "decode max"}),
    "accelerators": (spec(budget=Budget(accelerators=9)), {"budget accelerators"}),
    "a ratio": (spec(ratio=RatioBounds(highest=(1, 1))), {"ratio max"}),
    "a step": (spec(behavior=Behavior(up_max_step=2)), {"scaleUpStep"}),
    "a minimum": (spec(low=(20, 1)), {"prefill min"}),
    "a schedule": (spec(schedules=(ALWAYS,)), {"schedule * * * * * prefill"}),
}


@pytest.mark.parametrize(("asked", "names"), LIMITED.values(), ids=LIMITED)
def test_a_limit_that_is_said_to_bind_lets_the_result_be_another_where_it_is_moved(
    asked: FleetSpec, names: set[str]
) -> None:
    seen, memory = settled(100.0, asked, ticks=1, start=(3, 3))
    told = explained(seen, memory, asked)

    assert {each.limit for each in told.what_if.limits} == names
    for each in told.what_if.limits:
        decided = plan(seen, memory, moved(asked, each.limit, each.to))

        assert {role: one.target for role, one in decided.roles.items()} == each.replicas
        assert each.replicas != told.result


def moved(asked: FleetSpec, limit: str, to: str) -> FleetSpec:
    """The fleet with a limit as an explanation tells it."""
    words = limit.split()
    if words[0] == "schedule":
        lower = replace(ALWAYS, floors={**ALWAYS.floors, Role(words[-1]): int(to)})
        return replace(asked, schedules=(lower,))
    if words[0] in tuple(Role):
        role = Role(words[0])
        bound = {f"{words[1]}_replicas": int(to)}
        roles = {**asked.roles, role: replace(asked.roles[role], **bound)}  # type: ignore[arg-type]
        return replace(asked, roles=roles)
    if limit == "budget accelerators":
        return replace(asked, budget=Budget(accelerators=int(to)))
    if limit == "ratio max":
        prefill, decode = to.split(":")
        return replace(asked, ratio=RatioBounds(highest=(int(prefill), int(decode))))
    assert limit == "scaleUpStep"
    return replace(asked, behavior=replace(asked.behavior, up_max_step=int(to)))


def test_a_scale_down_that_waits_is_let_go_when_it_is_said_to_be() -> None:
    """The wishes of the past are for more; if the wish stays, the result falls at the second told."""
    asked = spec(lead_time_s=20.0, behavior=Behavior(down_window_s=120.0, down_max_step=64))
    seen, memory = settled(60.0, asked)
    now_s, replicas = seen.now_s, {role: each.desired for role, each in seen.pods.items()}
    memory = grown(memory, asked, 0.25)
    calm = observation(now_s, rate_rps=15.0, pods=replicas)
    told = explained(calm, memory, asked)

    assert told.what_if.release is not None
    late_s = told.what_if.release.after_s
    for wait_s, falls in ((late_s - 1.0, False), (late_s + 0.1, True)):
        later = replace(calm, now_s=now_s + wait_s)
        decided = plan(later, memory, asked)
        targets = {role: each.target for role, each in decided.roles.items()}
        assert (sum(targets.values()) < sum(told.result.values())) is falls


def test_a_one_shot_sizing_is_explained_and_its_thresholds_hold() -> None:
    asked, load = spec(high=(3, 64)), demand(75.0, input_cv=1.0, output_cv=0.8)
    sizing = size(load, asked)
    told = of_sizing(load, asked, sizing)

    assert (told.wish, told.result) == (dict(sizing.ideal), dict(sizing.replicas))
    assert [each.limit for each in told.limits] == ["bounds"]
    assert {each.limit for each in told.what_if.limits} == {"prefill max"}
    assert told.at_s is None
    for each in (*told.what_if.more, *told.what_if.fewer):
        _holds(each, told, asked, load.rate_rps)
    assert told.what_if.slo


def _holds(each: Threshold, told: Explanation, asked: FleetSpec, rate_rps: float) -> None:
    away = 1.01 if each.replicas > told.wish[each.role] else 1 / 1.01
    load = demand(75.0, input_cv=1.0, output_cv=0.8)
    beyond, before = (
        size(replace(load, rate_rps=each.growth * rate_rps * factor), asked).ideal[each.role]
        for factor in (away, 1 / away)
    )
    assert beyond == each.replicas
    assert before == told.wish[each.role]


@fewer(25)
@given(
    looks=st.lists(
        st.tuples(st.floats(0, 50), traffics, st.fixed_dictionaries({P: pods, D: pods})),
        min_size=1,
        max_size=3,
    ),
    policy=st.sampled_from(["tandem", "tandem", *POLICIES]),
)
def test_no_observation_raises_and_json_holds_every_explanation(
    looks: list[tuple[float, Traffic, dict[Any, Any]]], policy: str
) -> None:
    asked = spec(
        low=(1, 2),
        high=(9, 8),
        ratio=RatioBounds(lowest=(1, 3), highest=(2, 1)),
        budget=Budget(accelerators=12),
        policy=policy,
        parameters={"prefill": 2.0, "decode": 2.0} if policy == "static" else {},
        lead_time_s=5.0,
    )
    now_s, memory = 0.0, Memory()
    for passed_s, traffic, there in looks:
        now_s += passed_s
        seen = replace(observation(now_s), traffic=traffic, pods=there)
        told, decided = explained(seen, memory, asked), plan(seen, memory, asked)

        assert told.result == {role: each.target for role, each in decided.roles.items()}
        assert told.wish == unclamped(decided)
        text = json.dumps(to_json(told), allow_nan=False)
        assert from_json(json.loads(text)) == told
        assert len(text) < 8000
        memory = decided.memory


@pytest.mark.parametrize("now_s", [float("nan"), float("inf"), -1e300])
def test_a_clock_that_tells_no_time_is_explained(now_s: float) -> None:
    assert explained(observation(now_s), Memory(), CALM).at_s in (None, -1e300)
