"""How a process that plays for a league begins: before anything of the simulator is imported."""

import os
import signal

from tandem import compiled


def begin() -> None:
    """Take the compiled simulator, and end at once and quietly at Ctrl-C, which reaches all of a terminal.

    A worker has a core to itself and no second one: linear algebra starts no threads.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    compiled.use()
