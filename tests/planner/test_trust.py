"""Trust follows what users get against what the model says, and nothing while the fleet moves."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.planner.builders import D, P, observation, spec

from tandem.planner import trust as trusts
from tandem.planner.memory import from_json, remember, to_json
from tandem.planner.model import Memory
from tandem.planner.observation import Figure, Missing, Observation, PodCounts
from tandem.planner.plan import plan
from tandem.planner.policies import state
from tandem.planner.trust import FLOOR, PATIENCE_S, SETTLE_S, WINDOW_S, Trust, Window

SPEC = spec(ttft_s=1.0, tpot_s=0.03)
STOOD = {P: PodCounts(desired=4, ready=4), D: PodCounts(desired=2, ready=2)}
TICK_S = 5.0


def look(
    now_s: float, *, late: float = 0.0, slow: float = 0.0, rate_rps: float = 20.0, **others: Any
) -> Observation:
    """Five seconds in which shares of the requests that ended missed TTFT and TPOT."""
    ended = rate_rps * TICK_S
    told = {
        "pods": STOOD,
        "finished": Figure(ended),
        "met_ttft": Figure(ended * (1 - late)),
        "met_tpot": Figure(ended * (1 - slow)),
        "met_both": Figure(ended * (1 - late) * (1 - slow)),
        **others,
    }
    return observation(now_s, rate_rps=rate_rps, **told)


def followed(until_s: float, **each: Any) -> Trust:
    trust, window, memory = Trust(), Window(), Memory()
    for tick in range(1, int(until_s / TICK_S) + 1):
        seen = look(tick * TICK_S, **each)
        memory = remember(seen, memory, 60.0)
        trust, window = trusts.observed(trust, window, seen, memory, SPEC)
    return trust


def test_a_model_that_is_right_is_trusted() -> None:
    trust = followed(1200.0)
    assert trust.least > 0.9
    assert trust.widening == 1.0
    assert not trust.why_not


@pytest.mark.parametrize(
    ("misses", "lower", "higher"),
    [
        pytest.param({"late": 0.3}, P, D, id="prefill"),
        pytest.param({"slow": 0.3}, D, P, id="decode"),
    ],
)
def test_misses_nobody_foretold_cost_the_role_its_trust(
    misses: dict[str, float], lower: Any, higher: Any
) -> None:
    trust = followed(1200.0, **misses)
    assert trust.of(lower) < FLOOR
    assert trust.of(higher) > 0.9
    assert trust.widening > 1.1
    assert f"model of {lower} is not believed" in trust.why_not
    assert "times worse than it says" in trust.why_not


def test_misses_that_were_foretold_cost_none() -> None:
    """Two prefill pods for two seconds of prefill a second: nearly all prompts are late, and it says so."""
    short = {P: PodCounts(desired=2, ready=2), D: PodCounts(desired=2, ready=2)}
    assert followed(1200.0, late=0.9, pods=short).of(P) > 0.8


def test_fewer_late_prompts_than_first_come_first_served_would_have_say_nothing() -> None:
    short = {P: PodCounts(desired=2, ready=2), D: PodCounts(desired=2, ready=2)}
    assert followed(1200.0, pods=short).of(P) > 0.9


def test_a_model_that_sees_pods_busy_that_are_not_is_not_trusted_but_widens_nothing() -> None:
    short = {P: PodCounts(desired=2, ready=2), D: PodCounts(desired=2, ready=2)}
    trust = followed(1200.0, pods=short, utilisation={P: Figure(0.1)})
    assert trust.of(P) < FLOOR
    assert trust.widening == 1.0
    assert "times better than it says" in trust.why_not


MOVING = [
    pytest.param({"pods": {**STOOD, P: PodCounts(desired=5, ready=4, starting=1)}}, id="starts"),
    pytest.param({"pods": {**STOOD, D: PodCounts(desired=2, ready=2, draining=1)}}, id="drains"),
    pytest.param({"pods": {**STOOD, D: PodCounts(desired=3, ready=2)}}, id="asked for"),
    pytest.param({"finished": Missing("no scrape")}, id="missing"),
    pytest.param({"met_both": Figure(70.0, age_s=1e4)}, id="stale"),
    pytest.param({"met_tpot": Figure(float("nan"))}, id="not a number"),
    pytest.param({"finished": Figure(1e9)}, id="impossible"),
    pytest.param({"met_both": Figure(1e5)}, id="more that met than ended"),
    pytest.param({"interval_s": -5.0}, id="an interval that can not be"),
]


@pytest.mark.parametrize("others", MOVING)
def test_nothing_moves_trust_while_pods_or_figures_are_not_there(others: dict[str, Any]) -> None:
    assert followed(1200.0, late=0.9, **others) == Trust()


def test_what_ends_just_after_a_move_says_nothing_of_the_fleet_after_it() -> None:
    assert followed(SETTLE_S + WINDOW_S - TICK_S, late=0.9) == Trust()
    assert followed(SETTLE_S + WINDOW_S + 2 * TICK_S, late=0.9) != Trust()


@pytest.mark.parametrize(
    ("figures", "role"),
    [
        pytest.param({"utilisation": {P: Figure(0.1)}}, P, id="prefill is idle"),
        pytest.param({"tpot_s": Figure(0.1)}, D, id="steps take eight times as long"),
    ],
)
def test_times_that_the_model_does_not_know_of_cost_trust_though_nobody_misses(
    figures: dict[str, Any], role: Any
) -> None:
    assert followed(1800.0, **figures).of(role) < 0.4


def test_times_as_the_model_has_them_cost_none() -> None:
    right = {"utilisation": {P: Figure(0.5)}, "tpot_s": Figure(0.0138)}
    assert followed(1800.0, **right).least > 0.9


def test_a_few_requests_say_little() -> None:
    assert followed(240.0, late=1.0, rate_rps=0.05) == Trust()
    assert followed(300.0, late=0.1, rate_rps=0.1).least > 0.5


def test_trust_is_lost_after_a_while_and_comes_back_later_than_it_went() -> None:
    trust, window, memory, told = Trust(), Window(), Memory(), []
    for tick in range(1, 720):
        now_s = tick * TICK_S
        seen = look(now_s, late=0.5 if now_s < 1200 else 0.0)
        memory = remember(seen, memory, 60.0)
        trust, window = trusts.observed(trust, window, seen, memory, SPEC)
        told.append((now_s, trust.least, bool(trust.is_lost)))
    lost = [now_s for now_s, _, is_lost in told if is_lost]
    below = [now_s for now_s, least, _ in told if least < FLOOR]
    assert min(lost) - min(below) >= PATIENCE_S - WINDOW_S
    assert 1200 < max(below) < max(lost) < 2400
    assert not told[-1][2]


def test_a_plan_without_trust_scales_by_bands_and_says_so() -> None:
    lost = Trust(prefill=3.0, is_lost=1.0)
    memory = Memory(started_s=0.0, facts=state.facts(trust=lost, window=Window()))
    busy = {P: Figure(0.95), D: Figure(0.5)}
    seen = look(5000.0, utilisation=busy, kv_usage={D: Figure(0.3)})
    decided = plan(seen, memory, SPEC)
    assert decided.roles[P].target == 7
    assert decided.roles[D].target == 2
    assert decided.roles[P].reason == "bands: 95% of prefill in use, 40% to 80% wanted"
    assert any("not believed, users get 8.0 times worse" in reason for reason in decided.reasons)


def test_trust_survives_a_restart() -> None:
    *_, memory = (
        plan(look(tick * TICK_S, late=0.4), Memory(), SPEC).memory for tick in range(1, 3)
    )
    memory = replace(memory, facts={**memory.facts, "trust.prefill": 1.5})
    stored, why = from_json(to_json(memory))
    assert not why
    assert trusts.recalled(stored) == trusts.recalled(memory)
    assert trusts.recalled(stored)[0].prefill == 1.5


readings = st.one_of(
    st.just(Missing("none")),
    st.builds(Figure, st.floats(), st.floats()),
    st.builds(Figure, st.floats(0, 1e4), st.floats(0, 100)),
)


@given(st.lists(st.tuples(readings, readings, readings, readings, st.floats(0, 200)), max_size=8))
def test_no_figures_raise_or_leave_what_a_score_can_be(
    looks: list[tuple[Any, Any, Any, Any, float]],
) -> None:
    trust, window, memory, now_s = Trust(), Window(), Memory(), 0.0
    for arrivals, ended, met_tpot, met_both, passed_s in looks:
        now_s += passed_s
        seen = observation(
            now_s, rate_rps=arrivals, pods=STOOD, interval_s=max(passed_s, 0.1),
            finished=ended, met_tpot=met_tpot, met_both=met_both,
        )  # fmt: skip
        memory = remember(seen, memory, 60.0)
        trust, window = trusts.observed(trust, window, seen, memory, SPEC)
        assert 0 < trust.least <= 1
        assert 1 <= trust.widening <= 2
