"""Generated arrivals have the rate, the variation, the bursts and the idle spells asked for."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.traces.arrivals import ArrivalLaw, burst_variance, drawn
from tandem.traces.columns import Floats
from tandem.traces.statistics import fano, gap_cv
from tandem.traces.waves import Wave

LONG_S = 40_000.0


def arrivals(law: ArrivalLaw, end_s: float = LONG_S, seed: int = 1) -> Floats:
    return drawn(law, 0.0, end_s, np.random.default_rng(seed))


LAWS = st.builds(
    ArrivalLaw,
    rate_rps=st.floats(0.01, 50),
    gap_cv=st.floats(0, 20),
    burst_variance=st.floats(0, 4),
    amplitude=st.floats(0, 1),
)


@given(
    law=LAWS,
    begin_s=st.floats(-1000, 1000),
    lasts_s=st.floats(0.01, 300),
    seed=st.integers(0, 99),
)
def test_arrivals_are_sorted_and_within_their_time(
    law: ArrivalLaw, begin_s: float, lasts_s: float, seed: int
) -> None:
    times_s = drawn(law, begin_s, begin_s + lasts_s, np.random.default_rng(seed))
    assert (np.diff(times_s) >= 0).all()
    assert ((times_s >= begin_s) & (times_s <= begin_s + lasts_s)).all()


@pytest.mark.parametrize("cv", [0.0, 0.5, 1.0, 2.0])
def test_rate_and_variation_of_gaps_are_those_asked_for(cv: float) -> None:
    times_s = arrivals(ArrivalLaw(rate_rps=4.0, gap_cv=cv))
    assert len(times_s) / LONG_S == pytest.approx(4.0, rel=0.03)
    assert gap_cv(times_s) == pytest.approx(cv, rel=0.03, abs=1e-6)


def test_idle_spells_give_the_variation_and_keep_the_rate() -> None:
    """At 2/s and 120 s idle a variation of 13 needs busy spells of 120 (4 · 120 / 168 - 1) = 222.86 s."""
    law = ArrivalLaw(rate_rps=2.0, gap_cv=13.0, idle_s=120.0)
    assert law.busy_s == pytest.approx(222.857, abs=0.001)
    times_s = arrivals(law, end_s=1_000_000.0)
    assert len(times_s) / 1_000_000 == pytest.approx(2.0, rel=0.03)
    assert gap_cv(times_s) == pytest.approx(13.0, rel=0.05)
    idle_s = np.diff(times_s)
    assert idle_s[idle_s > 20].mean() == pytest.approx(120 + 20, rel=0.05), "no memory"


@pytest.mark.parametrize("asked", [2.0, 6.0, 20.0])
def test_bursts_give_the_fano_factor_of_ten_seconds(asked: float) -> None:
    law = ArrivalLaw(rate_rps=5.0, burst_variance=burst_variance(asked, 5.0))
    assert fano(arrivals(law, 200_000.0), 200_000.0, 10.0) == pytest.approx(asked, rel=0.06)


def test_the_sine_begins_at_its_lowest_a_quarter_turn_back() -> None:
    wave = Wave(period_s=1000.0, phase=-0.25)
    times_s = arrivals(ArrivalLaw(rate_rps=50.0, amplitude=0.8, wave=wave), 1000.0)
    counts, _ = np.histogram(times_s, bins=10, range=(0, 1000))
    middles = np.arange(50, 1000, 100)
    expected = 50 * (1 - 0.8 * np.cos(2 * np.pi * middles / 1000))
    assert counts / 100 == pytest.approx(expected, rel=0.12)


def test_arrivals_are_seeded() -> None:
    law = ArrivalLaw(rate_rps=3.0, gap_cv=13.0, idle_s=60.0, burst_variance=0.2)
    assert arrivals(law, seed=4).tolist() == arrivals(law, seed=4).tolist()
    assert arrivals(law, seed=4).tolist() != arrivals(law, seed=5).tolist()
