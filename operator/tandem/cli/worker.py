"""How a process that plays for a league begins: before anything of the simulator is imported."""

import multiprocessing
import os
import signal
import threading

from tandem import compiled


def begin() -> None:
    """Take the compiled simulator, and end at once and quietly at Ctrl-C, which reaches all of a terminal.

    A worker has a core to itself and no second one: linear algebra starts no threads. A league that is killed takes
    its workers with it.
    """
    threading.Thread(target=_end_with_league, daemon=True).start()
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    compiled.use()


def _end_with_league() -> None:
    """Nobody else tells a worker that the process is gone which started it."""
    if (league := multiprocessing.parent_process()) is not None:
        league.join()
        os._exit(1)
