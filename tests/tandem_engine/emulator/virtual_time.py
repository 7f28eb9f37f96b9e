"""An event loop whose clock jumps to the next timer as soon as nothing else is to do."""

import asyncio
import selectors
from collections.abc import Coroutine
from functools import partial
from typing import Any


class _Selector(selectors.DefaultSelector):
    """Waits in virtual time, and wakes up late."""

    now_s = 0.0
    late_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout:
            self.now_s += timeout + self.late_s
        return super().select(0)


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """Its time is its own."""

    def __init__(self, late_s: float) -> None:
        self.selector = _Selector()
        self.selector.late_s = late_s
        super().__init__(self.selector)

    def time(self) -> float:
        return self.selector.now_s


def run(scenario: Coroutine[Any, Any, None], late_s: float = 0.0) -> None:
    """Run a scenario without waiting; every timer is late by so much."""
    with asyncio.Runner(loop_factory=partial(VirtualTimeLoop, late_s)) as runner:
        runner.run(scenario)
