"""Schedules: what work needs, asked for in time, and changed piece by piece."""

from dataclasses import replace

import pytest
from tests.fakes.leagues import conditions

from tandem.simulator.league.steps import at, changed, fluid

BIN_S = 60.0


def test_pods_are_asked_for_a_cold_start_ahead_and_kept_over_a_short_dip() -> None:
    needs = [0.5, 0.5, 0.5, 3.5, 0.5, 3.5, 0.5, 0.5]
    under = replace(conditions(cold_start_s=100.0), interval_s=5.0)

    # two bins of a minute ahead; the dip between the peaks is shorter than a cold start
    assert fluid((needs, [0.5] * 8), BIN_S, (0.0, 0.0), under) == (
        (0.0, 1, 1),
        (60.0, 4, 1),
        (360.0, 1, 1),
    )


def test_headroom_grows_with_the_square_root_of_the_need() -> None:
    assert fluid(([4.0], [9.0]), BIN_S, (1.0, 2.0), conditions()) == ((0.0, 6, 15),)


def test_bounds_are_kept() -> None:
    assert fluid(([0.0], [90.0]), BIN_S, (1.0, 1.0), conditions(most=8)) == ((0.0, 1, 8),)


STEPS = ((0.0, 2, 3), (100.0, 4, 3))


@pytest.mark.parametrize(
    ("role", "span_s", "by", "result"),
    [
        (0, (50.0, 150.0), -1, ((0.0, 2, 3), (50.0, 1, 3), (100.0, 3, 3), (150.0, 4, 3))),
        (1, (0.0, 100.0), 2, ((0.0, 2, 5), (100.0, 4, 3))),
        (1, (300.0, 400.0), -9, ((0.0, 2, 3), (100.0, 4, 3), (300.0, 4, 1), (400.0, 4, 3))),
        (0, (0.0, 100.0), 2, ((0.0, 4, 3),)),
    ],
)
def test_a_change_is_of_one_role_within_its_span(
    role: int, span_s: tuple[float, float], by: int, result: object
) -> None:
    assert changed(STEPS, role, span_s, by, (1, 64)) == result


@pytest.mark.parametrize(
    ("t_s", "pair"), [(0.0, (2, 3)), (99.0, (2, 3)), (100.0, (4, 3)), (1e9, (4, 3))]
)
def test_what_is_in_force(t_s: float, pair: tuple[int, int]) -> None:
    assert at(STEPS, t_s) == pair
