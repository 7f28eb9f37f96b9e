import random

import pytest

from tandem.gateway.arrivals import WINDOW_S, ArrivalCounts


def counted(per_second: list[int]) -> ArrivalCounts:
    counts = ArrivalCounts(100.0)
    for second, arrivals in enumerate(per_second):
        for _ in range(arrivals):
            counts.arrived(100.5 + second)
    return counts


@pytest.mark.parametrize(
    ("per_second", "width_s", "expected"),
    [
        pytest.param([3] * 20, 1, 0.0, id="a metronome"),
        pytest.param([0, 4] * 10, 1, 2.0, id="every other second"),
        pytest.param([0, 4] * 10, 2, 0.0, id="the same by two seconds"),
        pytest.param([5] * 9, 1, None, id="too little to say"),
        pytest.param([11, *[0] * 10], 1, 10.0, id="one burst, then silence"),
    ],
)
def test_dispersion_is_variance_over_mean(
    per_second: list[int], width_s: int, expected: float | None
) -> None:
    found = counted(per_second).dispersion(100.0 + len(per_second), width_s)
    assert found == (None if expected is None else pytest.approx(expected))


def test_before_the_first_arrival_nothing_is_known() -> None:
    assert ArrivalCounts(0.0).dispersion(50.0, 1) is None


def test_silence_after_a_burst_is_counted() -> None:
    counts = counted([50] * 20)
    assert counts.dispersion(120.0, 1) == 0
    assert counts.dispersion(140.0, 1) == pytest.approx(25)
    assert counts.dispersion(100.0 + 10 * WINDOW_S, 1) is None, "the window holds no arrival"


def test_poisson_arrivals_have_a_dispersion_of_one() -> None:
    drawn = random.Random(7)  # noqa: S311 - a draw, no secret
    counts, now_s = ArrivalCounts(0.0), 0.0
    while now_s < WINDOW_S:
        counts.arrived(now_s)
        now_s += drawn.expovariate(20)
    assert counts.dispersion(WINDOW_S, 1) == pytest.approx(1, abs=0.35)
