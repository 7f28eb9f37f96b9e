"""Means and percentiles."""

from dataclasses import astuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.simulator.summaries import NOTHING, Gaps, summary

GAPS = st.lists(
    st.tuples(st.floats(min_value=1e-6, max_value=1e4), st.integers(1, 50)), min_size=1, max_size=40
)


def test_nothing_measured_has_no_figures() -> None:
    assert summary(np.array([np.nan, np.nan])) == NOTHING == Gaps().summary()


def test_percentiles_interpolate_between_ranks_and_skip_what_is_not_there() -> None:
    figures = astuple(summary(np.array([1.0, np.nan, 2.0, 3.0])))
    assert figures == pytest.approx((2.0, 2.0, 2.8, 2.9, 2.98))


@given(gaps=GAPS)
def test_counted_gaps_keep_their_mean_and_their_percentiles_within_0_05_percent(
    gaps: list[tuple[float, int]],
) -> None:
    counted = Gaps()
    for seconds, count in gaps:
        counted.add(seconds, count)
    one_by_one = np.repeat([seconds for seconds, _ in gaps], [count for _, count in gaps])
    expected = [float(one_by_one.mean())] + [
        float(np.percentile(one_by_one, p, method="inverted_cdf")) for p in (50, 90, 95, 99)
    ]
    assert astuple(counted.summary()) == pytest.approx(expected, rel=0.0006)


@given(
    first_s=st.floats(1e-4, 1.0),
    slope=st.floats(0.0, 0.01),
    iterations=st.integers(1, 2000),
    count=st.integers(1, 5),
)
def test_a_run_of_gaps_counts_as_its_gaps_one_by_one(
    first_s: float, slope: float, iterations: int, count: int
) -> None:
    run, single = Gaps(), Gaps()
    run.add_run(first_s, slope * first_s, iterations, count)
    for iteration in range(iterations):
        single.add(first_s + iteration * slope * first_s, count)
    assert run.count == single.count
    assert astuple(run.summary()) == pytest.approx(astuple(single.summary()), rel=0.0011)
