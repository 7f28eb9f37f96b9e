"""Processes that outlive the command that starts them: start, wait until ready, find, end."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from e2e.cluster.network import inside_command
from e2e.cluster.places import LOGS, RUN, BoxError, direct_environment

POLL_S = 0.1
READY_S = 90.0
"""On two busy cores; alone they are ready in seconds."""
KILLED_S = 10.0
QUIET_LOOKS = 3
"""A process that is becoming another program has no environment for a moment."""
TAIL_LINES = 25
MARK_NAME = "TANDEM_BOX"
MARK = f"{MARK_NAME}={RUN}"
"""In the environment of every daemon, so that none is lost whoever started it."""
_START = 'setsid "$@" >>"$LOG" 2>&1 </dev/null & echo $!'


@dataclass(frozen=True)
class Daemon:
    """One process of the cluster, by the name of its log and of its pid file."""

    name: str
    command: Sequence[str]

    @property
    def log(self) -> Path:
        return LOGS / f"{self.name}.log"

    @property
    def pid_file(self) -> Path:
        return RUN / "pids" / self.name

    def start(self) -> None:
        """Start it in the cluster's network, as a child of nobody."""
        for folder in (self.log.parent, self.pid_file.parent):
            folder.mkdir(parents=True, exist_ok=True)
        path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
        settings = {"LOG": f"{self.log}", "PATH": path, MARK_NAME: f"{RUN}"}
        started = subprocess.run(
            ["sh", "-c", _START, "sh", *inside_command(), *self.command],
            env={**direct_environment(), **settings},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        pid = int(started.stdout)
        partial = self.pid_file.with_suffix(".partial")
        partial.write_text(f"{pid} {_born(pid)}")
        partial.replace(self.pid_file)  # whole or not at all: we may be killed here, or looked at

    def alive(self) -> bool:
        """True while the process that was started runs, whatever became of its number."""
        if not self.pid_file.exists():
            return False
        pid, born = self.pid_file.read_text().split()
        return _born(int(pid)) == born

    def tail(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return "\n".join([f"--- the last lines of {self.log}", *lines[-TAIL_LINES:]])


def _born(pid: int) -> str:
    """When a living process started, in ticks of the kernel; nothing for one that has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return "ended"
    return "ended" if fields[0] == "Z" else fields[19]


def is_ours(pid: int) -> bool:
    """True for a living process that a daemon is, or that it has started."""
    try:
        return MARK.encode() in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:  # it ended, or is none of ours
        return False


def ours() -> list[int]:
    """Every living process of the cluster outside its containers."""
    return [int(path.name) for path in Path("/proc").glob("[0-9]*") if is_ours(int(path.name))]


def wait_ready(what: str, ready: Callable[[], bool], daemons: Iterable[Daemon]) -> None:
    """Wait until something holds; a daemon that ends before then is the error."""
    daemons = tuple(daemons)
    deadline_s = time.monotonic() + READY_S
    while not ready():
        for daemon in daemons:
            if not daemon.alive():
                raise BoxError(f"{daemon.name} ended before {what}\n{daemon.tail()}")
        if time.monotonic() > deadline_s:
            tails = "\n".join(daemon.tail() for daemon in daemons)
            raise BoxError(f"not {what} after {READY_S:.0f} s\n{tails}")
        time.sleep(POLL_S)


def kill_all() -> None:
    """Kill every process of the cluster outside its containers; its state is thrown away anyway."""
    deadline_s = time.monotonic() + KILLED_S
    quiet = 0
    while quiet < QUIET_LOOKS:
        pids = ours()
        quiet = 0 if pids else quiet + 1
        if time.monotonic() > deadline_s:
            raise BoxError(f"processes {pids} survive SIGKILL")
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(POLL_S)
