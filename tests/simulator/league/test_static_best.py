"""The best fixed fleet is found, with few simulations."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fakes.leagues import case, conditions, played

from tandem.simulator.league.job import Job
from tandem.simulator.league.static_best import StaticBest

MOST = 16


def search(meets: dict[tuple[int, int], bool], guess: tuple[int, int]) -> StaticBest:
    best = StaticBest(case=case(under=conditions(most=MOST)), order="fcfs", guess=guess)
    playing, results = best.search(), None
    while True:
        try:
            batch = next(playing) if results is None else playing.send(results)
        except StopIteration:
            return best
        pairs = [job.start for job in batch if isinstance(job, Job) and job.start]
        results = [played(1.0 if meets[pair] else 0.5) for pair in pairs]


def staircase(prefill: int, decode: int, work: int) -> dict[tuple[int, int], bool]:
    """Pairs that meet the target: enough of each role, and enough in all."""
    pairs = [(p, d) for p in range(1, MOST + 1) for d in range(1, MOST + 1)]
    return {(p, d): p >= prefill and d >= decode and p + d >= work for p, d in pairs}


@given(
    st.integers(1, 12),
    st.integers(1, 12),
    st.integers(0, 3),
    st.tuples(st.integers(1, 24), st.integers(1, 24)),
)
def test_the_fewest_pods_that_meet_the_target(
    prefill: int, decode: int, more: int, guess: tuple[int, int]
) -> None:
    meets = staircase(prefill, decode, prefill + decode + more)

    best = search(meets, guess)

    assert sum(best.best() or ()) == prefill + decode + more
    assert len(best.found) <= 24


def test_none_where_no_fleet_within_bounds_meets_it() -> None:
    assert search(staircase(17, 1, 2), (4, 4)).best() is None


@pytest.mark.parametrize("guess", [(1, 1), (6, 9), (16, 16)])
def test_one_for_two_trades_are_taken(guess: tuple[int, int]) -> None:
    meets = {pair: 2 * pair[0] + pair[1] >= 20 for pair in staircase(1, 1, 1)}

    assert sum(search(meets, guess).best() or ()) == 11  # 9 + 2 and 10 + 1
