"""Ctrl-C, noticed rather than raised: the first one ends a run with what is done, the second one at once."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def noticed() -> Iterator[Callable[[], bool]]:
    """Yields what says whether Ctrl-C came; from the second one on it is a KeyboardInterrupt as ever."""
    came = False
    before = signal.getsignal(signal.SIGINT)
    if before is signal.SIG_IGN:  # a job in the background: Ctrl-C is meant for others
        yield lambda: False
        return

    def note(_number: int, _frame: FrameType | None) -> None:
        nonlocal came
        came = True
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, note)
    try:
        yield lambda: came
    finally:
        signal.signal(signal.SIGINT, before)
