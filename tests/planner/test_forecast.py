import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.planner.forecast import Forecast, forecast


def told(
    rates: list[float], *, interval_s: float = 5.0, quantile: float = 0.82, prior: float = 0.25
) -> Forecast:
    """After intervals of these rates; windows of 90 s, a lead time of 60 s."""
    looks = tuple(
        (interval_s * (i + 1), interval_s, rate * interval_s) for i, rate in enumerate(rates)
    )
    found = forecast(looks, window_s=90.0, lead_s=60.0, quantile=quantile, prior=prior)
    assert found is not None
    return found


def test_nothing_seen_is_nothing_told() -> None:
    assert forecast((), window_s=90.0, lead_s=60.0, quantile=0.8, prior=0.25) is None


def test_the_level_is_that_of_the_window() -> None:
    assert told([5.0] * 40 + [20.0] * 18).level_rps == pytest.approx(20.0)
    assert told([5.0] * 40 + [20.0] * 9).level_rps == pytest.approx(12.5)


def test_a_young_fleet_is_readied_for_the_prior() -> None:
    """√x(1 + 0.915·0.25/2) squared: a quarter more, before anything is known of how the rate moves."""
    assert told([20.0]).rate_rps == pytest.approx(20 * (1 + 0.915 * 0.125) ** 2, rel=1e-3)


def test_a_steady_fleet_learns_to_stand_still() -> None:
    assert told([20.0] * 600).rate_rps == pytest.approx(20.0, rel=0.03)


def test_a_fleet_whose_rate_swings_is_readied_for_the_swing() -> None:
    swings = [12.0 + 8.0 * np.sin(i / 12) for i in range(700)]

    assert told(swings).rate_rps > 1.3 * told(swings).level_rps


def test_a_higher_quantile_is_readied_for_more() -> None:
    rng = np.random.default_rng(1)
    rates = list(rng.gamma(8, 2.5, 500))

    assert told(rates, quantile=0.95).rate_rps > told(rates, quantile=0.6).rate_rps


def test_idle_minutes_explode_nothing() -> None:
    rates = [0.0] * 300 + [30.0] * 18 + [0.0] * 300

    assert told(rates).rate_rps <= 30.0


def test_no_traffic_is_told_as_none() -> None:
    assert told([0.0] * 100).rate_rps == 0.0


def test_what_was_not_watched_is_not_taken_as_silence() -> None:
    looks = ((5.0, 5.0, 100.0), (500.0, 5.0, 100.0), (505.0, 5.0, 100.0))
    found = forecast(looks, window_s=90.0, lead_s=60.0, quantile=0.82, prior=0.0)

    assert found is not None
    assert found.level_rps == pytest.approx(20.0)


@given(
    st.lists(st.floats(0, 1e4), min_size=1, max_size=200),
    st.floats(1, 30),
    st.floats(0.5, 0.999),
    st.floats(0, 2),
)
def test_a_forecast_is_finite_and_within_twice_of_what_was_seen(
    rates: list[float], interval_s: float, quantile: float, prior: float
) -> None:
    found = told(rates, interval_s=interval_s, quantile=quantile, prior=prior)

    assert 0 <= found.rate_rps <= 2 * max(rates) * (1 + 1e-6) + 1e-9
