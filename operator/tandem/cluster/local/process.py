"""One child process: its log, its end, and no orphan whatever happens to us."""

import asyncio
import contextlib
import ctypes
import logging
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_CHUNK_BYTES = 65536
_SHOWN = 300  # characters of a last line
_logger = logging.getLogger("tandem.cluster")


class Process:
    """A child in a session of its own, so that a terminal's Ctrl-C reaches only us.

    What it says goes through us into its log: a full disk loses lines of the log, not the process.
    """

    def __init__(self, name: str, child: asyncio.subprocess.Process, log: Path) -> None:
        self.name = name
        self._child = child
        self._log = log
        self._tail = b""
        self._pump = asyncio.create_task(self._keep_log(), name=f"log of {name}")

    @classmethod
    async def start(
        cls,
        name: str,
        command: Sequence[str],
        log: Path,
        environment: Mapping[str, str] | None = None,
    ) -> "Process":
        """Start a command whose output is appended to `log`.

        Raises:
            OSError: the program is not there or may not be run.

        """
        child = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={**os.environ, **(environment or {})},
            start_new_session=True,
            preexec_fn=_die_with_parent(),
        )
        return cls(name, child, log)

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
        await self._pump

    async def last_words(self) -> str:
        """The last line that an ended process said, to tell why it died."""
        await self._pump
        lines = self._tail.decode(errors="replace").strip().splitlines()
        return lines[-1][:_SHOWN] if lines else "it said nothing"

    async def _keep_log(self) -> None:
        """Append to the log until the process closes its output; what can't be written is told once."""
        assert self._child.stdout is not None
        told = False
        while chunk := await self._child.stdout.read(_CHUNK_BYTES):
            self._tail = (self._tail + chunk)[-_CHUNK_BYTES:]
            try:
                with self._log.open("ab") as log:
                    log.write(chunk)
            except OSError as error:
                if not told:
                    _logger.warning("%s: %s; lines are lost", self._log, error.strerror)
                told = True


def _die_with_parent() -> Callable[[], None] | None:
    """On Linux the kernel ends the child when we are killed; elsewhere only an orderly end does."""
    if not sys.platform.startswith("linux"):
        return None
    prctl = ctypes.CDLL(None).prctl
    return lambda: prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
