"""One vLLM engine on one CPU core, with real KV hand-over, for tests without a GPU."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from tandem_engine.vllm.command import EngineSpec, command, environment

START_S = 600.0  # 20 s alone; three have taken over 300 s where other work had both cores
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - the engine's choice, not ours


class Engine:
    """A running engine: its process group, its log, its address."""

    def __init__(self, python: Path, spec: EngineSpec, log: Path) -> None:
        self.spec = spec
        self.log = log
        self.shared_memory: set[Path] = set()  # 400 MB stay behind when it ends in a hurry
        self.url = f"http://{spec.host}:{spec.port}"
        with log.open("wb") as out:
            self.process = subprocess.Popen(
                command(python, spec),
                env={**os.environ, **environment(spec)},
                stdout=out,
                stderr=subprocess.STDOUT,
                # Its children are ended with it. A group, no session: engines in sessions of their
                # own stood still for 30 s at a time on one core, perhaps since Linux schedules
                # sessions as groups; without they have not.
                process_group=0,
            )

    def is_healthy(self) -> bool:
        """True when `/health` answers 200, as it also does all through a drain."""
        link = HTTPConnection(self.spec.host, self.spec.port, timeout=2)
        with suppress(OSError, HTTPException), closing(link):
            link.request("GET", "/health")
            return link.getresponse().status == 200
        return False

    def wait_until_healthy(self, timeout_s: float = START_S) -> None:
        """Return once `/health` answers 200; raise with the log's end when it never does."""
        until = time.monotonic() + timeout_s
        while time.monotonic() < until and self.process.poll() is None:
            if self.is_healthy():
                self.shared_memory = shared_memory_of(self.process.pid)
                return
            time.sleep(0.2)
        end = self.log.read_text(errors="replace")[-3000:]
        raise RuntimeError(f"engine on port {self.spec.port} is not healthy; its log ends:\n{end}")

    @contextmanager
    def standing_still(self) -> Iterator[None]:
        """Stop all of the engine for a while, as a machine does that has no core for it."""
        os.killpg(self.process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.killpg(self.process.pid, signal.SIGCONT)

    def terminate(self) -> None:
        """Ask the engine to drain and end; it serves what runs for up to `drain_s`."""
        self.process.terminate()

    def stop(self, grace_s: float = 10.0) -> None:
        """End the engine and all its children, politely first, and clear its shared memory."""
        if self.process.poll() is None:
            self.process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(grace_s)
        self.kill()

    def kill(self) -> None:
        """End the engine and all its children at once, as a lost node does."""
        self.shared_memory |= shared_memory_of(self.process.pid)
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        for path in self.shared_memory:
            path.unlink(missing_ok=True)


def shared_memory_of(group: int) -> set[Path]:
    """The files in shared memory that a process group has mapped, by inode: names can differ."""
    inodes: set[int] = set()
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if os.getpgid(int(process.name)) == group:
                lines = (process / "maps").read_text().splitlines()
                inodes |= {int(line.split()[4]) for line in lines if str(SHARED_MEMORY) in line}
    return {path for path in SHARED_MEMORY.iterdir() if path.stat().st_ino in inodes}


@contextmanager
def engines(python: Path, specs: list[EngineSpec], logs: Path) -> Iterator[list[Engine]]:
    """Start engines side by side, yield them healthy, and leave none behind."""
    logs.mkdir(parents=True, exist_ok=True)
    started: list[Engine] = []
    try:
        for spec in specs:
            started.append(Engine(python, spec, logs / f"engine-{spec.port}.log"))  # noqa: PERF401
        for engine in started:
            engine.wait_until_healthy()
        yield started
    finally:
        for engine in started:
            engine.terminate()  # side by side: each takes 6 s to tear itself down
        for engine in started:
            engine.stop()
