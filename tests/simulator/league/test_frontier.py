"""GPU-hours at an attainment, by hand."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.simulator.league.frontier import Outlay, at_target, envelope


def outlays(*points: tuple[float, float]) -> list[Outlay]:
    return [Outlay(attainment, hours, 1e-5) for attainment, hours in points]


def test_between_two_points_hours_go_with_the_logarithm_of_misses() -> None:
    # misses 10 % and 0.1 %: 1 % lies half-way in the logarithm, 10^-2 between 10^-1 and 10^-3
    assert at_target(outlays((0.9, 10.0), (0.999, 14.0)), 0.99) == pytest.approx(12.0)


@pytest.mark.parametrize(
    ("points", "hours"),
    [
        pytest.param(
            [(0.9, 10.0), (0.98, 14.0)], None, id="never reached: nothing is extrapolated"
        ),
        pytest.param([], None, id="nothing was played"),
        pytest.param([(0.995, 10.0), (0.999, 14.0)], 10.0, id="always reached: the cheapest run"),
        pytest.param([(0.9, 10.0), (0.99, 14.0)], 14.0, id="met exactly"),
        pytest.param(
            [(0.9, 10.0), (0.95, 16.0), (0.999, 14.0)], 12.0, id="a beaten point counts not"
        ),
        pytest.param([(0.9, 14.0), (0.999, 12.0)], 12.0, id="better and cheaper alone is left"),
    ],
)
def test_hours_at_the_target(points: list[tuple[float, float]], hours: float | None) -> None:
    found = at_target(outlays(*points), 0.99)

    assert found == (None if hours is None else pytest.approx(hours))


def test_no_miss_at_all_counts_as_half_a_request() -> None:
    points = [Outlay(0.9, 10.0, 0.005), Outlay(1.0, 14.0, 0.005)]

    # log10 of misses: -1 at 10 h, log10(0.005) = -2.301 at 14 h, and -2 is asked for
    assert at_target(points, 0.99) == pytest.approx(10.0 + 4.0 * (1.0 / 1.30103), rel=1e-5)


POINTS = st.lists(st.tuples(st.floats(0.5, 1.0), st.floats(1.0, 100.0)), min_size=1, max_size=8)


@given(POINTS, st.floats(0.6, 0.999))
def test_hours_lie_between_those_of_runs_on_either_side(
    points: list[tuple[float, float]], target: float
) -> None:
    hours = at_target(outlays(*points), target)
    met = [cost for attainment, cost in points if attainment >= target]
    missed = [cost for attainment, cost in points if attainment < target]

    assert (hours is None) == (not met)
    assert hours is None or min([*met, *missed]) - 1e-9 <= hours <= min(met) + 1e-9


@given(POINTS)
def test_an_envelope_rises_in_both(points: list[tuple[float, float]]) -> None:
    front = envelope(outlays(*points))

    assert all(
        low.attainment < high.attainment and low.gpu_hours < high.gpu_hours
        for low, high in pairwise(front)
    )
