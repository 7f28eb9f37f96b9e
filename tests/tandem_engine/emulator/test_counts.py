import pytest

from tandem_engine.emulator.counts import Histogram, token_bounds


@pytest.mark.parametrize(
    ("value", "bucket"),
    [
        pytest.param(0.5, 0, id="below the first bound"),
        pytest.param(1.0, 0, id="a bound belongs to its bucket"),
        pytest.param(1.5, 1, id="between"),
        pytest.param(9.0, 2, id="above the last"),
    ],
)
def test_a_value_falls_into_the_first_bucket_that_holds_it(value: float, bucket: int) -> None:
    seen = Histogram((1, 2))
    seen.observe(value, times=3)
    assert seen.counts[bucket] == sum(seen.counts) == 3
    assert seen.sum == 3 * value


@pytest.mark.parametrize(
    ("most", "last"),
    [
        pytest.param(2048, (500, 1000, 2000), id="recorded from vLLM"),
        pytest.param(100, (20, 50, 100), id="a bound itself"),
        pytest.param(99, (10, 20, 50), id="just below one"),
    ],
)
def test_token_buckets_reach_as_far_as_the_context(most: int, last: tuple[int, ...]) -> None:
    assert token_bounds(most)[-3:] == last
