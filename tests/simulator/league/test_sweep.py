"""Which values of a parameter are played."""

from collections.abc import Callable

import pytest
from tests.fakes.leagues import case, played

from tandem.simulator.league.job import Job
from tandem.simulator.league.sweep import Sweep


def swept(
    attainment: Callable[[float], float],
    values: tuple[float, ...] = (0.2, 0.5, 0.8),
    halvings: int = 3,
    default: float | None = None,
) -> list[float | None]:
    """The values in the order in which they were asked for; a higher one costs more."""
    of = case()

    def jobs(value: float | None) -> list[Job]:
        given = () if value is None else (("target", value),)
        return [Job(case=of, policy="hpa", order="fcfs", parameters=given)]

    sweep = Sweep(
        jobs=jobs,
        values=values,
        bounds=(0.0, 1.0),
        target=0.99,
        halvings=halvings,
        default=default,
    )
    search, asked = sweep.search(), []
    batch = next(search)
    while True:
        found = [dict(job.parameters).get("target") for job in batch if isinstance(job, Job)]
        asked += found
        meant = [default or 0.0 if v is None else v for v in found]
        results = [played(attainment(v), 10.0 + 10 * v) for v in meant]
        try:
            batch = search.send(results)
        except StopIteration:
            return asked


def test_halves_between_the_neighbours_around_the_target() -> None:
    asked = swept(lambda v: 0.9 + 0.1 * v, (0.2, 0.5, 0.95))

    assert asked == [None, 0.5, 0.95, 0.725, 0.8375, 0.8938]


def test_the_end_of_the_range_is_tried_where_nothing_reaches_the_target() -> None:
    assert swept(lambda v: 0.9 + 0.095 * v) == [None, 0.5, 0.8, 1.0, 0.9, 0.95]


def test_the_lean_end_is_tried_where_all_reach_it() -> None:
    assert swept(lambda v: 0.9999 if v > 0.1 else 0.5) == [None, 0.5, 0.2, 0.0, 0.1, 0.15]


def test_an_end_that_says_nothing_of_the_target_is_not_played() -> None:
    asked = swept(lambda v: 0.9 + 0.1 * v, (0.2, 0.5, 0.95, 0.99), halvings=0)

    assert asked == [None, 0.5, 0.95]


def test_a_default_that_is_known_is_a_value_like_the_others() -> None:
    asked = swept(lambda v: 0.9 + 0.1 * v, (0.2, 0.5, 0.8), halvings=1, default=0.95)

    assert asked == [None, 0.5, 0.725]


def test_no_more_is_played_once_hours_are_close() -> None:
    close = swept(lambda v: 0.999 if v >= 0.505 else 0.5, (0.5, 0.505), halvings=5)

    assert close == [None, 0.5, 0.505]


def test_a_policy_without_a_parameter_plays_its_default_alone() -> None:
    assert swept(lambda _: 1.0, ()) == [None]


@pytest.mark.parametrize("halvings", [0, 1, 4])
def test_never_more_than_it_said(halvings: int) -> None:
    assert len(swept(lambda v: v, halvings=halvings)) <= 4 + halvings
