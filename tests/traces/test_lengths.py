"""Generated lengths have the mean, the variation, the drift and the bound asked for."""

import numpy as np
import pytest

from tandem.traces.columns import Ints
from tandem.traces.lengths import LengthLaw, drawn
from tandem.traces.waves import Wave

PERIOD_S = 100_000.0


def tokens(law: LengthLaw) -> Ints:
    return drawn(np.arange(0.0, PERIOD_S), law, np.random.default_rng(1))


@pytest.mark.parametrize("cv", [0.0, 0.5, 1.5])
def test_mean_and_variation_are_those_asked_for(cv: float) -> None:
    found = tokens(LengthLaw(mean=1000.0, cv=cv))
    assert found.mean() == pytest.approx(1000, rel=0.02)
    assert found.std() / found.mean() == pytest.approx(cv, rel=0.05)


def test_the_mean_swings_by_the_factor_asked_for_and_keeps_its_own_mean() -> None:
    found = tokens(LengthLaw(mean=5000.0, swing=10.0, wave=Wave(period_s=PERIOD_S)))
    assert found.max() / found.min() == pytest.approx(10, rel=0.01)
    assert (found.argmax(), found.argmin()) == pytest.approx((25_000, 75_000), abs=1000)
    assert found.mean() == pytest.approx(5000, rel=0.001)


def test_no_length_is_below_one_or_above_the_longest() -> None:
    found = tokens(LengthLaw(mean=3.0, cv=3.0, longest=40))
    assert (found.min(), found.max()) == (1, 40)
