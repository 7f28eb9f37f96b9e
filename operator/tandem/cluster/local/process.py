"""One child process: its log, its end, and no orphan whatever happens to us."""

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

_PR_SET_PDEATHSIG = 1


class Process:
    """A child in a session of its own, so that a terminal's Ctrl-C reaches only us."""

    def __init__(self, name: str, child: asyncio.subprocess.Process, log: Path | None) -> None:
        self.name = name
        self.log = log
        self._child = child

    @classmethod
    async def start(
        cls,
        name: str,
        command: Sequence[str],
        log: Path,
        environment: Mapping[str, str] | None = None,
    ) -> "Process":
        """Start a command with its output in `log`; a full disk loses the log, not the process.

        Raises:
            OSError: the program is not there or may not be run.

        """
        with contextlib.ExitStack() as stack:
            try:
                output: int = stack.enter_context(log.open("ab")).fileno()
                kept: Path | None = log
            except OSError:
                output, kept = asyncio.subprocess.DEVNULL, None
            child = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=asyncio.subprocess.STDOUT,
                env={**os.environ, **(environment or {})},
                start_new_session=True,
                preexec_fn=_die_with_parent(),
            )
        return cls(name, child, kept)

    @property
    def pid(self) -> int:
        """Process id, also that of its group."""
        return self._child.pid

    @property
    def exit_code(self) -> int | None:
        """Exit code, negative for a signal; None while it runs."""
        return self._child.returncode

    async def wait(self) -> int:
        """The exit code, once it has ended."""
        return await self._child.wait()

    async def stop(self, grace_s: float) -> None:
        """Ask it to end, and kill its whole group after `grace_s`."""
        if self.exit_code is None:
            with contextlib.suppress(ProcessLookupError):
                self._child.terminate()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._child.wait(), grace_s)
        await self.kill()

    async def kill(self) -> None:
        """End the process and what it started, now."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        await self._child.wait()

    def last_words(self) -> str:
        """The last line of its log, to say why it died."""
        if self.log is None:
            return "no log could be written"
        with contextlib.suppress(OSError):
            lines = self.log.read_text(errors="replace").strip().splitlines()
            return lines[-1][:300] if lines else "it said nothing"
        return "its log can't be read"


def _die_with_parent() -> Callable[[], None] | None:
    """On Linux the kernel ends the child when we are killed; elsewhere only an orderly end does."""
    if not sys.platform.startswith("linux"):
        return None
    prctl = ctypes.CDLL(None).prctl
    return lambda: prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
