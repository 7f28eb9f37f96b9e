from math import log2

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.planner.buckets import MOST_POINTS, coarsened, two_points
from tandem.planner.demand import from_requests

lengths = st.integers(1, 200_000)


@given(st.lists(st.tuples(lengths, lengths), min_size=1, max_size=400))
def test_merging_keeps_what_the_queues_are_made_of(requests: list[tuple[int, int]]) -> None:
    inputs, outputs = np.array(requests, dtype=float).T
    mix = from_requests(inputs, outputs)

    assert len(mix.weights) <= MOST_POINTS
    for power in (1, 2, 3):
        assert mix.weights @ mix.output_tokens**power == pytest.approx(
            np.mean(outputs**power), rel=0.01
        )
    assert mix.mean_input == pytest.approx(inputs.mean(), rel=1e-9)
    assert (mix.input_tokens >= inputs.min() - 1e-6).all()
    assert (mix.input_tokens <= inputs.max() + 1e-6).all()


def test_a_long_trace_keeps_its_quadratic_prefill_work() -> None:
    rng = np.random.default_rng(1)
    inputs, outputs = np.exp(rng.normal(7, 1.2, 50_000)), np.exp(rng.normal(5, 1, 50_000))
    mix = from_requests(inputs, outputs)

    assert mix.weights @ mix.input_tokens**2 == pytest.approx(np.mean(inputs**2), rel=0.02)


def test_buckets_are_those_of_the_gateway_while_there_is_room() -> None:
    rows = coarsened([(2**k, 0, 100, 1.0) for k in range(1, 12)])

    assert sorted(log2(row[0]) for row in rows) == list(range(1, 12))


@given(st.lists(st.tuples(lengths, lengths), min_size=1, max_size=2000))
def test_no_request_is_lost_when_rows_are_merged(requests: list[tuple[int, int]]) -> None:
    rows = coarsened([(inputs, inputs // 2, outputs, 0.5) for inputs, outputs in requests])

    assert rows[:, 3].sum() == pytest.approx(0.5 * len(requests))
    assert len(rows) <= 2 * MOST_POINTS


def test_two_points_have_the_moments_that_were_asked() -> None:
    values = np.array([1.0, 2.0, 10.0])
    first, second, third = (np.array([np.mean(values**k)]) for k in (1, 2, 3))
    low, high, share = two_points(first, second, third)

    for power, moment in enumerate((first, second, third), start=1):
        assert share * low**power + (1 - share) * high**power == pytest.approx(moment)
