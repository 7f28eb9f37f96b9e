"""The error budget is eased while too few miss, and tightened faster when too many do."""

from dataclasses import replace

import pytest
from tests.planner.builders import spec

from tandem.api.role import Role
from tandem.planner.feedback import (
    LEAST_EASE,
    MOST_BUDGET,
    MOST_EASE,
    MOST_SHARE,
    Ease,
    cautious,
    eased,
    growth,
    observed,
)
from tandem.planner.observation import Figure, Missing, Observation, PodCounts, Reading, Traffic

SPEC = spec()
BUDGET = 1 - SPEC.slo.attainment


def look(ended: Reading, met: Reading, starting: int = 0, interval_s: float = 5.0) -> Observation:
    pods = dict.fromkeys(Role, PodCounts(desired=2, ready=2, starting=starting))
    traffic = Traffic(interval_s=interval_s, finished=ended, met_both=met)
    return Observation(now_s=0.0, pods=pods, traffic=traffic)


def after(minutes: float, missed: float, unreachable: float = 0.0, starting: int = 0) -> Ease:
    """Ten requests a second, so large a share of which miss."""
    ease = Ease()
    for _ in range(int(minutes * 12)):
        seen = look(Figure(50.0), Figure(50.0 * (1 - missed)), starting)
        ease = observed(ease, seen, SPEC, unreachable)
    return ease


def test_a_fleet_that_misses_little_may_miss_more() -> None:
    ease = after(5, missed=0.0)
    assert 1 < ease.doublings < MOST_BUDGET
    assert 1 - eased(SPEC, ease, 0.0).slo.attainment == pytest.approx(BUDGET * 2**ease.doublings)
    assert ease.prompts == 1


def test_a_fleet_that_misses_nothing_even_so_leaves_out_prompts_and_gives_them_back_at_once() -> (
    None
):
    ease = after(60, missed=0.0)
    assert ease.doublings == MOST_EASE
    assert ease.budget == 2**MOST_BUDGET
    assert 0.85 < ease.prompts < 0.9

    late = look(Figure(50.0), Figure(45.0))
    for _ in range(12):
        ease = observed(ease, late, SPEC, 0.0)
    assert ease.prompts == 1


def test_a_fleet_that_misses_too_much_is_tightened_three_times_as_fast() -> None:
    up, down = after(2, missed=0.0).doublings, after(2, missed=4 * BUDGET).doublings
    assert down < -2.5 * up < 0
    assert after(60, missed=0.5).doublings == LEAST_EASE
    assert after(60, missed=0.5).growth > 1


def test_the_budget_that_is_aimed_at_moves_nothing() -> None:
    assert after(30, missed=0.65 * BUDGET).doublings == pytest.approx(0.0, abs=1e-6)


def test_while_pods_start_nothing_is_tightened_further() -> None:
    assert after(10, missed=0.5, starting=1).doublings == 0.0
    assert after(10, missed=0.0, starting=1).doublings > 0.0


def test_what_ends_after_a_start_still_tells_of_the_fleet_before() -> None:
    """Pods are there; for a minute what ends came before them."""
    ended, met = Figure(50.0), Figure(25.0)
    ease = observed(Ease(), look(ended, met, starting=1), SPEC, 0.0, lasts_s=60.0)
    for _ in range(11):
        ease = observed(ease, look(ended, met), SPEC, 0.0, lasts_s=60.0)
    assert ease.doublings == 0.0
    assert ease.missed_now == 0.0
    for _ in range(12):
        ease = observed(ease, look(ended, met), SPEC, 0.0, lasts_s=60.0)
    assert ease.doublings < -1


def test_while_nothing_ends_nothing_is_tightened() -> None:
    missed = Ease(missed_now=40.0, judged_now=100.0)
    assert observed(missed, look(Figure(0.0), Figure(0.0)), SPEC, 0.0).doublings == 0.0


def test_requests_that_no_fleet_serves_in_time_tighten_nothing() -> None:
    """3 % can't be served in time, and nothing else misses: more pods would not help."""
    assert after(30, missed=0.03, unreachable=0.03).doublings > 0
    assert 1 - eased(SPEC, Ease(doublings=-4.0), 0.03).slo.attainment > 0.03


def test_no_chance_of_such_requests_tightens_but_more_of_them_does() -> None:
    """3 % of ten a second are 18 a minute, give or take four; an aim of 0.35 % leaves room for two more."""
    assert after(30, missed=0.0335, unreachable=0.03).doublings == pytest.approx(0.0, abs=1e-9)
    assert after(30, missed=0.045, unreachable=0.03).doublings < -1


def test_an_ease_is_limited_upwards_alone() -> None:
    assert Ease(doublings=6.0).limited(2.5).budget == 2**2.5
    assert Ease(doublings=-3.0).limited(2.5).doublings == -3.0


@pytest.mark.parametrize(
    "reading",
    [Missing("no scrape"), Figure(float("nan")), Figure(-3.0), Figure(1e9), Figure(5.0, age_s=1e6)],
)
def test_a_figure_that_cannot_be_believed_moves_nothing(reading: Reading) -> None:
    ease = Ease(missed=3.0, judged=200.0, doublings=-1.0)
    assert observed(ease, look(reading, Figure(5.0)), SPEC, 0.0) == ease
    assert observed(ease, look(Figure(5.0), reading), SPEC, 0.0) == ease
    unknown = replace(look(Figure(5.0), Figure(5.0)), traffic=Traffic(interval_s=float("nan")))
    assert observed(ease, unknown, SPEC, 0.0) == ease


def test_a_burst_of_misses_is_forgiven_within_the_hour() -> None:
    ease = after(1, missed=0.5)
    assert ease.doublings < 0
    for _ in range(50 * 12):
        ease = observed(ease, look(Figure(50.0), Figure(50.0)), SPEC, 0.0)
    assert ease.doublings > 1


@pytest.mark.parametrize(("halvings", "budget"), [(1.0, 0.5), (3.0, 0.125), (-2.0, 4.0)])
def test_caution_halves_the_budget_and_its_want_doubles_it(halvings: float, budget: float) -> None:
    assert 1 - cautious(SPEC, halvings).slo.attainment == pytest.approx(BUDGET * budget)


def test_no_want_of_caution_gives_up_more_than_a_share_of_requests_or_than_was_asked() -> None:
    assert 1 - cautious(SPEC, -10.0).slo.attainment == pytest.approx(MOST_SHARE)
    modest = replace(SPEC, slo=replace(SPEC.slo, attainment=0.5))
    assert cautious(modest, -1.0).slo.attainment == pytest.approx(0.5)
    assert cautious(modest, 0.0) is modest


def test_only_caution_makes_ready_for_more() -> None:
    assert growth(-2.0) == growth(0.0) == 1.0
    assert growth(1.0) == pytest.approx(1.11, abs=0.01)
