"""The oracle's search: which moves are taken together, and what it settles on."""

from dataclasses import replace

import pytest
from tests.fakes.leagues import case, conditions, played

from tandem.simulator.league.job import Job, Steps
from tandem.simulator.league.oracle import Move, Oracle, Tried, choose
from tandem.simulator.league.play import Played, Surveyed


def tried(index: int, misses: int, gpu_hours: float, role: int = 0) -> Tried:
    by = -1 if gpu_hours < 0 else 1
    return Tried(Move(role, index * 60.0, index * 60.0 + 60.0, by), misses, gpu_hours)


def begins(moves: list[Move]) -> set[float]:
    return {move.begin_s / 60.0 for move in moves}


def test_the_moves_that_save_most_per_miss_fill_the_slack() -> None:
    moves = [tried(0, 10, -1.0), tried(1, 2, -1.0), tried(2, 30, -1.5), tried(3, 0, -0.5)]

    assert begins(choose(moves, slack=12)) == {0, 1, 3}
    assert begins(choose(moves, slack=2)) == {1, 3}
    assert choose(moves, slack=-1) == []


def test_a_pod_is_added_where_it_pays_for_two_taken_elsewhere() -> None:
    moves = [tried(0, -50, 1.0), tried(1, 20, -1.0), tried(2, 20, -1.0)]

    assert begins(choose(moves, slack=0)) == {0, 1, 2}


def test_where_the_target_is_missed_the_cheapest_cure_is_taken() -> None:
    moves = [tried(0, -50, 1.0), tried(1, -60, 9.0)]

    assert begins(choose(moves, slack=-40)) == {0}


def test_of_two_moves_of_one_role_and_moment_the_better_is_taken() -> None:
    moves = [tried(0, 1, -0.5), tried(0, 0, -1.0), tried(0, 0, -1.0, role=1)]

    assert len(choose(moves, slack=5)) == 2


DURATION_S = 600.0


def world(steps: Steps) -> Played:
    """Ten minutes in which 2 pods of each role are needed, and 5 prefill in the fourth minute."""
    hours, missed, minutes = 0.0, 0, [0] * 10
    for second in range(0, int(DURATION_S), 5):
        _, prefill, decode = [step for step in steps if step[0] <= second][-1]
        hours += (prefill + decode) * 5 / 3600
        lacking = max(0, (5 if 180 <= second < 240 else 2) - prefill) + max(0, 2 - decode)
        missed += lacking
        minutes[second // 60] += lacking
    run = played(1 - missed / 1000, hours)
    return replace(run, replicas=steps, misses={"prefill queue": tuple(minutes)})


def search(effort: int, others: list[Steps] | None = None) -> tuple[Oracle, int]:
    need = [2.0 if not 12 <= index < 16 else 5.0 for index in range(40)]
    seen = Surveyed(
        requests=1000,
        duration_s=DURATION_S,
        mean_input_tokens=1.0,
        mean_output_tokens=1.0,
        start=(2, 2),
        sized=(5, 2),
        floor_gpu_hours=0.1,
        bin_s=15.0,
        prefill_pods=tuple(need),
        decode_pods=tuple([2.0] * 40),
    )
    under = conditions(attainment=0.995, cold_start_s=0.0)
    oracle = Oracle(
        case=case(under=under), seen=seen, fixed=(5, 2), others=others or [], effort=effort
    )
    playing, results, asked = oracle.search(), None, 0
    while True:
        try:
            batch = next(playing) if results is None else playing.send(results)
        except StopIteration:
            return oracle, asked
        asked += len(batch)
        results = [world(job.schedule) for job in batch if isinstance(job, Job)]


def test_pods_are_there_only_when_they_are_needed() -> None:
    oracle, _ = search(effort=200)
    best = oracle.found[oracle.best()]
    fixed = world(((0.0, 5, 2),))

    needed = (4 * 540 + 7 * 60) / 3600
    assert best.attainment >= 0.995
    assert best.gpu_hours <= needed + 0.02
    assert fixed.gpu_hours > needed * 1.5


@pytest.mark.parametrize("effort", [0, 1, 3, 10, 40])
def test_the_effort_is_kept(effort: int) -> None:
    oracle, asked = search(effort)

    assert asked <= effort
    assert not oracle.found or oracle.best() in oracle.found


def test_a_policys_schedule_is_a_beginning() -> None:
    better: Steps = ((0.0, 2, 2), (180.0, 5, 2), (240.0, 2, 2))
    oracle, _ = search(effort=4, others=[better])

    assert better in oracle.found
