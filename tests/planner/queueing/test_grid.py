import numpy as np
import pytest

from tandem.planner.queueing.grid import Grid
from tandem.planner.queueing.wait import ENDLESS, NO_WAIT, Wait

GRID = Grid.over(10.0, 2001)


def test_points_keep_weight_and_mean() -> None:
    seconds, weights = np.array([0.0, 0.0033, 4.9999, 10.0]), np.array([0.1, 0.2, 0.3, 0.4])
    mass = GRID.points(seconds, weights)

    assert mass.sum() == pytest.approx(1.0)
    assert mass @ GRID.times_s == pytest.approx(seconds @ weights)


def test_what_lies_beyond_is_missing() -> None:
    mass = GRID.points(np.array([1.0, 10.1, np.inf]), np.array([0.5, 0.3, 0.2]))

    assert mass.sum() == pytest.approx(0.5)
    assert GRID.quantile_s(mass, np.array([0.4, 0.6]))[1] == np.inf


def test_a_wait_has_its_atom_and_its_tail() -> None:
    mass = GRID.wait(Wait(0.3, 2.0))

    assert mass.sum() == pytest.approx(1 - 0.3 * np.exp(-20))
    assert mass @ GRID.times_s == pytest.approx(0.3 / 2.0, rel=1e-3)


def test_an_endless_wait_has_no_mass() -> None:
    assert GRID.wait(ENDLESS).sum() == pytest.approx(0.0)
    assert GRID.wait(NO_WAIT)[0] == 1.0


def test_two_waits_add_up_to_their_convolution() -> None:
    """P(X + Y > t) = (r e^{−st} − s e^{−rt}) / (r − s) for two exponentials (hypoexponential)."""
    mass = GRID.summed(GRID.wait(Wait(1.0, 1.0)), GRID.wait(Wait(1.0, 3.0)))
    t = np.array([0.5, 1.0, 3.0])

    exact = 1 - (3 * np.exp(-t) - np.exp(-3 * t)) / 2
    assert GRID.within(mass, t) == pytest.approx(exact, abs=2e-4)


@pytest.mark.parametrize("seconds", [0.05, 4.0], ids=["direct", "by Fourier"])
def test_a_sum_with_a_constant_is_a_shift(seconds: float) -> None:
    wait = GRID.wait(Wait(0.4, 2.0))
    shifted = GRID.summed(wait, GRID.points(np.array([seconds]), np.ones(1)))
    cells = round(seconds / GRID.step_s)

    assert shifted[cells:] == pytest.approx(wait[: len(wait) - cells], abs=1e-12)
    assert shifted[:cells] == pytest.approx(0.0, abs=1e-12)


def test_a_percentile_of_a_sum_is_not_the_sum_of_percentiles() -> None:
    one = GRID.wait(Wait(1.0, 1.0))
    p99 = GRID.quantile_s(GRID.summed(one, one), np.array([0.99]))[0]

    assert p99 == pytest.approx(6.638, rel=1e-3)  # gamma of shape 2
    assert p99 < 2 * np.log(100)


def test_nothing_ends_before_zero() -> None:
    assert GRID.within(GRID.wait(NO_WAIT), np.array([-1e-9, -np.inf])) == pytest.approx([0, 0])


def test_a_quantile_is_not_off_by_half_a_cell() -> None:
    coarse = Grid.over(10.0, 41)
    mass = coarse.points(np.linspace(0.0, 10.0, 100_001), np.full(100_001, 1 / 100_001))

    assert coarse.quantile_s(mass, np.array([0.2, 0.5, 0.9])) == pytest.approx(
        [2.0, 5.0, 9.0], 1e-3
    )
    assert coarse.quantile_s(coarse.points(np.zeros(1), np.ones(1)), np.array([0.99])) == 0.0
