"""An emulator in a process of its own, as a fleet starts it."""

import asyncio
import json
import re
import signal
import sys
from asyncio.subprocess import PIPE
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from tests.tandem_engine.emulator.rig import PROFILE

COMMAND = ("-W", "error", "-c", "from tandem_engine.cli import main; main()")


@dataclass
class Process:
    """A running `tandem-engine emulate`."""

    process: asyncio.subprocess.Process
    url: str

    @classmethod
    async def start(cls, folder: Path, *flags: str) -> Self:
        """Return when it listens; its port is one of its own choice unless told."""
        file = folder / "profile.json"
        file.write_text(json.dumps(asdict(PROFILE)))
        words = ["emulate", "--profile", str(file), "--port", "0", "--cold-start", "0s"]
        process = await asyncio.create_subprocess_exec(
            sys.executable, *COMMAND, *words, *flags, stdout=PIPE, stderr=PIPE
        )
        assert process.stdout is not None
        greeting = (await process.stdout.readline()).decode()
        found = re.search(r"http://\S+:\d+", greeting)
        assert found, greeting
        return cls(process, found.group())

    @property
    def is_alive(self) -> bool:
        return self.process.returncode is None

    def signal(self, which: signal.Signals) -> None:
        self.process.send_signal(which)

    async def end(self) -> tuple[int, str]:
        """Its exit code, and what it complained of."""
        _, complaints = await asyncio.wait_for(self.process.communicate(), 10)
        assert self.process.returncode is not None
        return self.process.returncode, complaints.decode()

    async def kill(self) -> None:
        with suppress(ProcessLookupError):
            self.process.kill()
        await self.process.communicate()
