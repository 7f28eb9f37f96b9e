"""What each predictor tells of noise, of a line, of waves; and that time may run back."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tandem.planner.demand import Floats
from tandem.planner.history import History
from tandem.planner.predictors import (
    LEAST_PERIOD,
    PREDICTORS,
    Predictor,
    Terms,
    level,
    long_trend,
    period_s,
    season,
    trend,
)

TERMS = Terms(window_s=150.0, lead_s=100.0)
SECONDS = np.arange(720) * 5.0


def history(rates_rps: NDArray[np.floating[Any]]) -> History:
    """Looks of 5 s at these rates."""
    return History.of(
        tuple((5.0 * (i + 1), 5.0, rate * 5.0) for i, rate in enumerate(rates_rps.tolist()))
    )


def told(predictor: Predictor, of: History, terms: Terms = TERMS) -> float:
    """The rate that is told at the end."""
    return float(predictor(of, np.array([of.end_s]), terms)[0] ** 2)


def waves(period: float = 600.0) -> Floats:
    rates: Floats = 12 + 10 * np.sin(2 * np.pi * SECONDS / period)
    return rates


def test_a_line_of_roots_goes_on() -> None:
    """Roots rise by 0.005 a second: to 4.1 from 3.6, a lead time after the end."""
    line = history((0.005 * SECONDS) ** 2)
    ahead = (0.005 * (3600 + 100)) ** 2
    assert told(level, line) < 0.95 * ahead
    assert told(trend, line) == pytest.approx(ahead, rel=0.05)
    assert told(long_trend, line) == pytest.approx(ahead, rel=0.05)


def test_noise_has_no_trend() -> None:
    random = np.random.default_rng(2)
    noisy = [history(random.poisson(50.0, 720) / 5) for _ in range(50)]
    same = sum(told(trend, each) == told(level, each) for each in noisy)
    assert same >= 45


def test_dispersed_arrivals_hide_a_trend() -> None:
    rising = history(np.linspace(2, 14, 720))
    assert told(long_trend, rising) > told(level, rising)
    wild = Terms(window_s=150.0, lead_s=100.0, dispersion=8.0)
    assert told(long_trend, rising, wild) == told(level, rising, wild)


def test_a_season_comes_as_it_came() -> None:
    swinging = history(waves())
    terms = Terms(window_s=150.0, lead_s=100.0, period_s=600.0)
    ahead = 12 + 10 * np.sin(2 * np.pi * 100 / 600)
    assert told(season, swinging, terms) == pytest.approx(ahead, rel=0.06)
    assert np.isnan(told(season, swinging))  # no period, nothing known


def test_a_season_is_ready_for_a_steep_rise_before_it_comes() -> None:
    """40 requests/s in each second half of 600 s, else 4; at the end it falls, and 100 s ahead of a rise it is told."""
    square = history(np.where(SECONDS % 600 < 300, 4.0, 40.0))
    terms = Terms(window_s=150.0, lead_s=100.0, period_s=600.0)
    before = np.array([3100.0, 3130.0, 3150.0, 3200.0])  # it rises at 3,300, a pod takes 100 s
    assert season(square, before, terms) ** 2 == pytest.approx([4.0, 4.0, 4.0, 40.0], rel=0.01)
    assert told(season, square, terms) == pytest.approx(4.0, rel=0.02)


@pytest.mark.parametrize("period", [480.0, 600.0, 900.0, 1500.0])
def test_a_period_is_found_once_it_was_seen_twice(period: float) -> None:
    seen = waves(period) * np.random.default_rng(4).poisson(100, 720) / 100
    assert period_s(history(seen), 30.0, 4 * 100.0) == pytest.approx(period, abs=30.0)


@pytest.mark.parametrize(
    "rates",
    [
        pytest.param(np.full(720, 20.0), id="constant"),
        pytest.param(np.zeros(720), id="nothing"),
        pytest.param(np.linspace(1, 40, 720), id="a line"),
        pytest.param(waves(3000.0), id="seen once"),
        pytest.param(np.random.default_rng(5).poisson(100, 720) / 5, id="noise"),
        pytest.param(np.ones(8), id="young"),
    ],
)
def test_what_does_not_repeat_has_no_period(rates: Floats) -> None:
    assert period_s(history(rates), 30.0, LEAST_PERIOD * 100.0) == 0.0


def test_back_in_time_a_fall_is_a_rise() -> None:
    falling = history(np.linspace(20, 2, 720))
    back = falling.backwards()
    assert back.end_s == -falling.start_s
    assert told(trend, falling) <= told(level, falling)
    assert told(long_trend, back) > told(level, back)
    assert told(level, back) == pytest.approx(np.linspace(20, 2, 720)[:30].mean(), rel=1e-6)


def test_all_know_the_same_of_steady_traffic() -> None:
    steady = history(np.full(720, 20.0))
    terms = Terms(window_s=150.0, lead_s=100.0, period_s=600.0)
    assert [told(each, steady, terms) for each in PREDICTORS] == pytest.approx([20.0] * 4)
