"""How a process that plays for a league begins: before anything of the simulator is imported."""

import signal

from tandem import compiled


def begin() -> None:
    """Take the compiled simulator, and end at once and quietly at Ctrl-C, which reaches all of a terminal."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    compiled.use()
