"""Confidence intervals, by hand."""

from collections.abc import Callable
from statistics import fmean

import pytest

from tandem.simulator.league import confidence


def test_replications_give_students_interval() -> None:
    # mean 12, deviation 2, 2 / sqrt(3) = 1.1547, t(0.975, 2) = 4.3027
    assert confidence.by_replication([10.0, 12.0, 14.0]) == pytest.approx(
        (7.0317, 16.9683), abs=1e-4
    )


@pytest.mark.parametrize("values", [[10.0], [], [10.0, None, 12.0]])
def test_no_interval_from_one_seed_or_an_unknown_one(values: list[float | None]) -> None:
    assert confidence.by_replication(values) is None


def test_batches_of_a_mean_give_the_interval_of_batch_means() -> None:
    minutes = [float((7 * i) % 10) for i in range(20)]

    def mean(counts: Callable[[int], bool]) -> float:
        return fmean(value for minute, value in enumerate(minutes) if counts(minute))

    found = confidence.by_batches(mean, len(minutes))

    batches = [fmean(minutes[2 * i : 2 * i + 2]) for i in range(10)]
    assert found == pytest.approx(confidence.by_replication(batches))


def test_no_interval_from_a_run_of_four_minutes() -> None:
    assert confidence.by_batches(lambda _: 1.0, 4) is None


def test_no_interval_where_the_figure_hangs_on_one_batch() -> None:
    assert confidence.by_batches(lambda counts: 1.0 if counts(0) else None, 20) is None
