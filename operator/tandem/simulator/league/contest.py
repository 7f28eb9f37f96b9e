"""Plays what searches ask for, on all workers at once, and remembers every result.

A search is a generator: it yields the tasks that it wants to know of and is sent their results, in order,
until it ends. Searches run beside each other, so workers stay busy although each search waits for its
own; two that ask for the same task share its result.
"""

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from concurrent.futures import Executor, Future
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from queue import SimpleQueue

from tandem.errors import TandemError
from tandem.simulator.league import job
from tandem.simulator.league.job import Task
from tandem.simulator.league.play import Done, do
from tandem.simulator.league.store import Store

Search = Generator[Sequence[Task], Sequence[Done], None]
Tell = Callable[[int, int], None]  # tasks that are done, and how many there will be as far as known


@dataclass(slots=True, eq=False)
class _Turn:
    """A search that waits for results; `expected` is how many tasks it may still ask for."""

    search: Search
    expected: int
    asked: Sequence[Task] | None = None  # nothing before it has begun
    missing: set[Task] = field(default_factory=set)

    def reply(self, done: Mapping[Task, Done]) -> Sequence[Task]:
        """Tell it what it asked for, and hear what it asks for next."""
        if self.asked is None:
            return next(self.search)
        return self.search.send([done[task] for task in self.asked])


@dataclass(slots=True)
class Contest:
    """What is done so far (`done`), who does it, and where it is kept."""

    executor: Executor
    store: Store
    source: str
    tell: Tell
    done: dict[Task, Done] = field(default_factory=dict)
    _turns: set[_Turn] = field(default_factory=set)
    _waiting: dict[Task, list[_Turn]] = field(default_factory=dict)
    _ended: SimpleQueue[tuple[Task, Future[Done]]] = field(default_factory=SimpleQueue)

    def play(self, searches: Iterable[tuple[Search, int]]) -> None:
        """Run searches to their ends; each comes with how many tasks it is expected to ask for.

        Raises:
            KeyboardInterrupt: all that had ended by then is in `done` and in the store.
            OSError: a result can't be kept. All before it are in `done` and in the store.
            TandemError: a task is impossible, or a worker died.

        """
        turns = [_Turn(search, expected) for search, expected in searches]
        self._turns.update(turns)
        try:
            for turn in turns:
                self._advance(turn)
            while self._waiting:
                self._take(*self._ended.get())
        except KeyboardInterrupt:
            self._keep_what_ended()
            raise

    def _advance(self, turn: _Turn) -> None:
        """Let a search go on until it lacks a result, or ends."""
        while not turn.missing:
            try:
                turn.asked = turn.reply(self.done)
            except StopIteration:
                self._turns.remove(turn)
                return
            turn.expected -= len(turn.asked)
            turn.missing = {task for task in turn.asked if not self._known(task)}
        for task in turn.missing:
            self._wait(task, turn)
        self._say()

    def _known(self, task: Task) -> bool:
        if task not in self.done:
            kept = self.store.get(job.key(task, self.source), task)
            if kept is None:
                return False
            self.done[task] = kept
        return True

    def _wait(self, task: Task, turn: _Turn) -> None:
        waiting = self._waiting.setdefault(task, [])
        waiting.append(turn)
        if len(waiting) == 1:
            future = self.executor.submit(do, task)
            future.add_done_callback(lambda ended: self._ended.put((task, ended)))

    def _keep(self, task: Task, future: Future[Done]) -> None:
        result = _result(future)
        self.done[task] = result
        self.store.put(job.key(task, self.source), task, result)

    def _keep_what_ended(self) -> None:
        while not self._ended.empty():
            task, future = self._ended.get()
            if not future.cancelled() and future.exception() is None:
                self._keep(task, future)

    def _take(self, task: Task, future: Future[Done]) -> None:
        self._keep(task, future)
        for turn in self._waiting.pop(task):
            turn.missing.discard(task)
            if not turn.missing:
                self._advance(turn)
        self._say()

    def _say(self) -> None:
        ahead = sum(max(turn.expected, 0) for turn in self._turns)
        self.tell(len(self.done), len(self.done) + len(self._waiting) + ahead)


def _result(future: Future[Done]) -> Done:
    try:
        return future.result()
    except BrokenProcessPool:
        often = "most often for want of memory; what is done is kept, and fewer --jobs need less"
        raise TandemError(f"a worker process died, {often}") from None
