"""Work is held to its share of a core, whatever becomes of it."""

import asyncio
import threading
import time
from math import inf

import pytest

from tandem.controller.pace import Pace


class Clock:
    """Seconds that a test sets."""

    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def busy(cpu_s: float) -> float:
    """Work for so many CPU seconds; gives how many it took."""
    began_s = time.thread_time()
    while time.thread_time() - began_s < cpu_s:
        pass
    return time.thread_time() - began_s


async def test_work_rests_so_long_that_it_keeps_to_its_share() -> None:
    clock = Clock()
    pace = Pace(most_load=0.1, now_s=clock)
    spent_s = await pace.run(lambda: busy(0.01))

    clock.now_s = 8.9 * spent_s
    assert not pace.is_free()
    clock.now_s = 9.5 * spent_s
    assert pace.is_free()
    assert not pace.is_free(0.5)
    clock.now_s = 20.0 * spent_s
    assert pace.is_free(0.5)


async def test_without_a_limit_there_is_no_rest() -> None:
    pace = Pace(most_load=inf, now_s=Clock())
    await pace.run(lambda: busy(0.01))
    assert pace.is_free(0.5)


async def test_nobody_begins_while_another_is_at_work() -> None:
    pace, done = Pace(most_load=inf), threading.Event()
    running = asyncio.create_task(pace.run(lambda: done.wait(5)))
    await asyncio.sleep(0)
    assert not pace.is_free()

    done.set()
    assert await running
    assert pace.is_free()


async def test_work_that_fails_or_is_cancelled_leaves_the_pace_free() -> None:
    pace, done = Pace(), threading.Event()
    with pytest.raises(ZeroDivisionError):
        await pace.run(lambda: 1 // 0)
    assert pace.is_free()

    running = asyncio.create_task(pace.run(lambda: done.wait(5)))
    await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    done.set()
    assert pace.is_free()
