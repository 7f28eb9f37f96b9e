"""Virtual time: a heap of what is due."""

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any


class Timer:
    """Something that comes due again and again; it has one time at most, the one set last."""

    def __init__(self) -> None:
        self.ticket = 0  # of the time set last; 0 when there is none

    def fire(self) -> None:
        """Let it happen."""
        raise NotImplementedError


class _Once(Timer):
    """An action that is due at one time."""

    def __init__(self, action: Callable[..., None], arguments: tuple[Any, ...]) -> None:
        super().__init__()
        self._action = action
        self._arguments = arguments

    def fire(self) -> None:
        self._action(*self._arguments)


class Clock:
    """What is due, in order of time; of one instant, in the order in which it was asked for.

    Attributes:
        events: how many things have happened.

    """

    def __init__(self) -> None:
        self.now_s = 0.0
        self.events = 0
        self._heap: list[tuple[float, int, Timer]] = []
        self._tickets = 0

    def at(self, time_s: float, action: Callable[..., None], *arguments: Any) -> None:
        """Let something happen at a time, not before now."""
        self.set(time_s, _Once(action, arguments))

    def set(self, time_s: float, timer: Timer) -> None:
        """Let a timer come due at a time, not before now; whatever was set for it before is off."""
        self._tickets += 1
        timer.ticket = self._tickets
        heappush(self._heap, (time_s, self._tickets, timer))

    def next_s(self) -> float:
        """When the next thing is due; infinite when there is none."""
        heap = self._heap
        while heap:
            due_s, ticket, timer = heap[0]
            if timer.ticket == ticket:
                return due_s
            heappop(heap)
        return float("inf")

    def step(self) -> None:
        """Let the next thing happen; `next_s` has said that there is one."""
        self.now_s, _, timer = heappop(self._heap)
        timer.ticket = 0
        self.events += 1
        timer.fire()
