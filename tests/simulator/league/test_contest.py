"""Searches play side by side; what was done is never done twice, nor lost."""

import errno
from collections.abc import Generator, Sequence
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import pytest
from tests.fakes.leagues import AtOnce, case, played

from tandem.errors import InvalidInputError, TandemError
from tandem.simulator.league import contest as contests
from tandem.simulator.league.contest import Contest, Search
from tandem.simulator.league.job import Job, Task, key
from tandem.simulator.league.play import Done
from tandem.simulator.league.store import Store


def job(value: float) -> Job:
    return Job(case=case(), policy="hpa", order="fcfs", parameters=(("target", value),))


def asks(*batches: Sequence[float], heard: list[Any] | None = None) -> Search:
    for batch in batches:
        results = yield [job(value) for value in batch]
        if heard is not None:
            heard.append([getattr(result, "gpu_hours", None) for result in results])


@pytest.fixture(autouse=True)
def _hours_tell_the_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contests, "do", lambda task: played(gpu_hours=task.parameters[0][1]))


def contest(folder: Path, executor: AtOnce | None = None, told: list[Any] | None = None) -> Contest:
    def tell(done: int, known: int) -> None:
        if told is not None:
            told.append((done, known))

    return Contest(executor or AtOnce(), Store(folder), "source", tell)


def test_results_come_in_the_order_asked_and_shared_tasks_are_played_once(tmp_path: Path) -> None:
    heard: list[Any] = []
    executor = AtOnce()

    contest(tmp_path, executor).play([(asks([3, 1], [2], heard=heard), 3), (asks([1, 2]), 2)])

    assert heard == [[3, 1], [2]]
    assert sorted(task.parameters[0][1] for task in executor.asked) == [1, 2, 3]


def test_a_killed_league_goes_on_where_it_was(tmp_path: Path) -> None:
    def interrupt(task: Task) -> None:
        if task == job(3):
            raise KeyboardInterrupt

    killed = contest(tmp_path, AtOnce(interrupt))
    with pytest.raises(KeyboardInterrupt):
        killed.play([(asks([1], [2], [3], [4]), 4)])
    assert set(killed.done) == {job(1), job(2)}

    executor = AtOnce()
    again = contest(tmp_path, executor)
    again.play([(asks([1], [2], [3], [4]), 4)])

    assert executor.asked == [job(3), job(4)]
    assert set(again.done) == {job(1), job(2), job(3), job(4)}


def test_other_source_plays_anew(tmp_path: Path) -> None:
    contest(tmp_path).play([(asks([1]), 1)])
    executor = AtOnce()

    Contest(executor, Store(tmp_path), "newer", lambda *_: None).play([(asks([1]), 1)])

    assert executor.asked == [job(1)]


def test_a_full_disk_stops_it_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = Store.put

    def full_after_two(self: Store, key: str, task: Task, done: Done) -> None:
        if len(list(tmp_path.iterdir())) == 2:
            raise OSError(errno.ENOSPC, "No space left on device", key)
        put(self, key, task, done)

    monkeypatch.setattr(Store, "put", full_after_two)
    stopped = contest(tmp_path)
    with pytest.raises(OSError, match="No space left"):
        stopped.play([(asks([1], [2], [3]), 3)])

    assert {job(1), job(2)} <= set(stopped.done)
    monkeypatch.undo()
    assert Store(tmp_path).get(key(job(2), "source"), job(2)) is not None


def test_an_impossible_task_names_what_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def impossible(_: Task) -> Done:
        raise InvalidInputError("--trace", "x", "y")

    monkeypatch.setattr(contests, "do", impossible)
    with pytest.raises(InvalidInputError, match="--trace"):
        contest(tmp_path).play([(asks([1]), 1)])


def test_a_worker_that_dies_is_told_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(_: Task) -> Done:
        raise BrokenProcessPool("gone")

    monkeypatch.setattr(contests, "do", dies)
    with pytest.raises(TandemError, match=r"worker process died.*--jobs"):
        contest(tmp_path).play([(asks([1]), 1)])


def test_progress_never_goes_back_and_ends_full(tmp_path: Path) -> None:
    told: list[Any] = []

    contest(tmp_path, told=told).play([(asks([1, 2], [3]), 5), (asks([4]), 1)])

    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert all(done <= known for done, known in told)
    assert told[-1] == (4, 4)


def test_a_search_may_ask_for_nothing(tmp_path: Path) -> None:
    def silent() -> Generator[Sequence[Task], Sequence[Done], None]:
        yield []

    contest(tmp_path).play([(silent(), 0)])
