from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.planner.forecast import Forecast, forecast
from tandem.planner.predictors import MOST_GROWTH


def told(
    rates: list[float], *, interval_s: float = 5.0, shortage: float = 0.003, prior: float = 0.25
) -> Forecast:
    """After intervals of these rates; a lead time of 60 s, windows of 90, a hold of 120."""
    looks = tuple(
        (interval_s * (i + 1), interval_s, rate * interval_s) for i, rate in enumerate(rates)
    )
    found = forecast(
        looks, window_s=90.0, lead_s=60.0, hold_s=120.0, shortage=shortage, prior=prior
    )
    assert found is not None
    return found


def hour(level: float) -> list[float]:
    """An hour in intervals of 5 s."""
    return [level] * 720


def test_nothing_seen_is_nothing_told() -> None:
    nothing = forecast((), window_s=90.0, lead_s=60.0, hold_s=120.0, shortage=0.01, prior=0.25)
    assert nothing is None


def test_the_level_is_that_of_the_window() -> None:
    assert told([5.0] * 40 + [20.0] * 18).level_rps == pytest.approx(20.0)
    assert told([5.0] * 40 + [20.0] * 9).level_rps == pytest.approx(12.5)


def test_a_young_fleet_is_readied_for_the_prior() -> None:
    """√x(1 + 0.915·0.25/2) squared: a quarter more, before anything is known of how the rate moves."""
    assert told([20.0]).rate_rps == pytest.approx(20 * (1 + 0.915 * 0.125) ** 2, rel=1e-3)


def test_a_steady_fleet_learns_to_stand_still() -> None:
    assert told(hour(20.0)).rate_rps == pytest.approx(20.0, rel=0.03)


def test_noise_alone_asks_for_little_more_than_its_mean() -> None:
    noisy = list(np.random.default_rng(1).poisson(20.0 * 5, 720) / 5)
    assert 20 < told(noisy).rate_rps < 25


def test_rare_bursts_keep_a_reserve_standing_while_nothing_comes() -> None:
    """A minute of 30 now and then, else 1: no season tells when."""
    begins = (60, 130, 330, 390, 560, 640)
    bursts = [30.0 if any(0 <= i - begin < 12 for begin in begins) else 1.0 for i in range(720)]
    found = told(bursts)
    assert found.level_rps < 2
    assert found.rate_rps > 20
    assert found.reserve_rps == pytest.approx(found.rate_rps, rel=0.2)


def test_bursts_that_bring_less_than_may_be_short_are_let_go() -> None:
    """One interval of 100 in an hour of 20 is 0.7 % of all arrivals, and 0.55 % beyond 20."""
    blip = [20.0] * 300 + [100.0] + [20.0] * 419
    assert told(blip, shortage=0.01).rate_rps < 25
    assert told(blip, shortage=0.0).rate_rps > told(blip, shortage=0.01).rate_rps


def test_a_rate_that_swings_slowly_is_followed_and_not_stood_for() -> None:
    """Between 2 and 38 within two hours: at the bottom less than half of the mean is ready."""
    times = np.arange(720) * 5.0
    falling = list(20 + 18 * np.cos(2 * np.pi * times / 7200))
    found = told(falling)
    assert found.level_rps < 3
    assert found.rate_rps < 10


def test_a_fleet_that_may_leave_much_short_is_readied_for_less() -> None:
    uneven = list(np.random.default_rng(3).gamma(0.5, 20.0, 300))
    assert told(uneven, shortage=0.3).rate_rps < 0.8 * told(uneven, shortage=0.0).rate_rps


def test_traffic_that_broke_off_may_come_back_as_it_went() -> None:
    assert told([40.0] * 60 + [0.0] * 120).rate_rps > 30.0


def test_traffic_that_faded_leaves_nothing_to_be_ready_for() -> None:
    fading = list(np.linspace(40.0, 0.0, 600)) + [0.0] * 60
    assert told(fading).rate_rps < 4.0


def test_idle_minutes_explode_nothing() -> None:
    rates = [0.0] * 300 + [30.0] * 18 + [0.0] * 300
    assert told(rates).rate_rps <= 30.0


def test_no_traffic_is_told_as_none() -> None:
    assert told([0.0] * 100).rate_rps == 0.0


def test_a_rise_that_no_noise_explains_is_met_at_once() -> None:
    """From 2 to 12 within two minutes, the first of all: what comes in another minute is readied for."""
    rising = told([2 + 10 * i / 24 for i in range(24)])
    assert rising.sure_rps > 14
    assert rising.rate_rps >= rising.sure_rps * 0.9


def test_a_rise_that_noise_explains_is_none() -> None:
    few = told([0.6, 0.2, 0.8, 0.4, 0.6, 1.0] * 2)
    assert few.sure_rps == pytest.approx(few.level_rps)


def test_a_choice_stands_for_a_step_of_the_playback() -> None:
    looks = tuple((5.0 * (i + 1), 5.0, 100.0 + 50 * (i % 7)) for i in range(720))
    asked = partial(forecast, window_s=90.0, lead_s=60.0, hold_s=120.0, shortage=0.003, prior=0.25)
    first = asked(looks[:-4])
    assert first is not None
    soon, later = (asked(looks[: 720 - left], before=first.rule) for left in (2, 0))
    assert soon is not None
    assert later is not None
    assert soon.rule == first.rule
    assert later.rule.chosen_s == 3600.0


def test_what_was_not_watched_is_not_taken_as_silence() -> None:
    looks = ((5.0, 5.0, 100.0), (500.0, 5.0, 100.0), (505.0, 5.0, 100.0))
    found = forecast(looks, window_s=90.0, lead_s=60.0, hold_s=120.0, shortage=0.003, prior=0.0)

    assert found is not None
    assert found.level_rps == pytest.approx(20.0)


@given(
    st.lists(st.floats(0, 1e4), min_size=1, max_size=200),
    st.floats(1, 30),
    st.floats(0.0, 0.5),
    st.floats(0, 2),
)
def test_a_forecast_is_finite_and_little_beyond_what_was_seen(
    rates: list[float], interval_s: float, shortage: float, prior: float
) -> None:
    found = told(rates, interval_s=interval_s, shortage=shortage, prior=prior)
    assert np.isfinite([found.level_rps, found.rate_rps, found.reserve_rps]).all()
    most_rps = max(*rates, found.level_rps) * max(1 + prior / 2, MOST_GROWTH) ** 2
    assert 0 <= found.rate_rps <= most_rps + 1e-9
