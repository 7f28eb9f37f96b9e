"""What is forecast for each role."""

import numpy as np
import pytest
from tests.planner.builders import D, P

from tandem.planner import streams
from tandem.planner.demand import from_means, mix
from tandem.planner.model import Memory

ROWS, WORK = ((10.0, 5.0, 50.0),), ((10.0, 5.0, 50_000.0),)


def test_prefill_s_stream_is_of_prompt_tokens_and_decode_s_of_requests() -> None:
    found = streams.of(Memory(rates=ROWS, work=WORK, dispersion=2.0), from_means(1000, 200))
    assert (found[P].rows, found[P].a_request) == (WORK, 1000)
    assert (found[D].rows, found[D].a_request, found[D].dispersion) == (ROWS, 1.0, 2.0)


def test_without_tokens_both_are_of_requests() -> None:
    found = streams.of(Memory(rates=ROWS), from_means(1000, 200))
    assert found[P] == found[D]


@pytest.mark.parametrize("dispersion", [0.5, 1.0, 4.0])
def test_the_dispersion_of_tokens_is_that_of_a_sum_of_random_sizes(dispersion: float) -> None:
    """Negative binomial or binomial counts of two sizes, summed and counted."""
    random = np.random.default_rng(1)
    sizes, shares, mean = np.array([100.0, 1000.0]), np.array([0.7, 0.3]), 40.0
    if dispersion == 1.0:
        counts = random.poisson(mean, 200_000)
    elif dispersion > 1:
        counts = random.negative_binomial(mean / (dispersion - 1), 1 / dispersion, 200_000)
    else:
        counts = random.binomial(int(mean / (1 - dispersion)), 1 - dispersion, 200_000)
    sums = np.bincount(
        np.repeat(np.arange(len(counts)), counts),
        random.choice(sizes, counts.sum(), p=shares),
        len(counts),
    )
    found = streams.of(
        Memory(rates=ROWS, work=WORK, dispersion=dispersion), mix(sizes, [0, 0], [1, 1], shares)
    )
    assert found[P].dispersion == pytest.approx(sums.var() / sums.mean(), rel=0.02)
