"""Work that may wait, held to a share of a core, so that many fleets which want it at once do not take the process."""

import asyncio
import time
from collections.abc import Callable
from math import inf
from typing import TypeVar

MOST_LOAD = 0.05  # of a core

Result = TypeVar("Result")


class Pace:
    """One piece of work at a time, in a thread; share it between all who do the same kind of work.

    Whoever finds it taken comes again later: nobody waits, and nobody is told.

    Args:
        most_load: CPU seconds a second in the mean; infinite where a piece may follow on the other.
        now_s: a clock that never goes back.

    """

    def __init__(
        self, most_load: float = MOST_LOAD, now_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._most_load = most_load
        self._now_s = now_s
        self._ended_s = -inf  # of the last piece of work; inf while one is under way
        self._spent_s = 0.0  # of CPU, on it

    def is_free(self, share: float = 1.0) -> bool:
        """Whether a piece of work may begin now; what is less urgent asks for a `share` of the load."""
        rest_s = self._spent_s * max(0.0, 1 / (share * self._most_load) - 1)
        return self._now_s() >= self._ended_s + rest_s

    async def run(self, work: Callable[[], Result]) -> Result:
        """Do it in a thread and give what it gives; to be called where `is_free` holds."""
        self._ended_s, self._spent_s = inf, 0.0
        try:
            result, self._spent_s = await asyncio.to_thread(_timed, work)
        finally:
            self._ended_s = self._now_s()
        return result


def _timed(work: Callable[[], Result]) -> tuple[Result, float]:
    """Its result, and the CPU seconds that it took."""
    began_s = time.thread_time()
    result = work()
    return result, time.thread_time() - began_s
