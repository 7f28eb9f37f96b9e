"""Virtual time: a heap of events, each a function that is due."""

import heapq
from collections.abc import Callable
from typing import Any


class Clock:
    """Events in order of time; those of one instant in the order in which they were asked for."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self._heap: list[tuple[float, int, Callable[..., None], Any]] = []
        self._count = 0

    def at(self, time_s: float, action: Callable[..., None], *arguments: Any) -> None:
        """Let something happen at a time, not before now."""
        self._count += 1
        heapq.heappush(self._heap, (time_s, self._count, action, arguments))

    def next_s(self) -> float:
        """When the next event is due; infinite when there is none."""
        return self._heap[0][0] if self._heap else float("inf")

    def step(self) -> None:
        """Let the next event happen."""
        self.now_s, _, action, arguments = heapq.heappop(self._heap)
        action(*arguments)
