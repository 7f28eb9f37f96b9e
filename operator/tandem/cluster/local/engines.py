"""Command lines of the engines that run as local processes."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tandem.api.role import Role
from tandem.errors import TandemError


@dataclass(frozen=True, slots=True)
class Launch:
    """What to run for one engine, and with which environment."""

    command: Sequence[str]
    environment: Mapping[str, str]


class EngineLauncher(Protocol):
    """Makes the command line of one engine."""

    def launch(self, role: Role, name: str, port: int, side_port: int) -> Launch:
        """The engine that listens on `port`, its KV side channel on `side_port`, on loopback."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class EmulatorLauncher:
    """`tandem-engine emulate` of the same installation."""

    profile: Path
    model: str
    cold_start_s: float
    kv_lease_s: int
    drain_s: float

    def launch(self, role: Role, name: str, port: int, side_port: int) -> Launch:  # noqa: ARG002
        """See `EngineLauncher`; the emulator serves both roles with the same flags."""
        flags = {
            "--port": port,
            "--side-channel-port": side_port,
            "--profile": self.profile,
            "--model": self.model,
            "--cold-start": f"{round(self.cold_start_s * 1000)}ms",
            "--kv-lease": self.kv_lease_s,
            "--shutdown-timeout": round(self.drain_s),
        }
        return Launch(_tandem_engine("emulate", flags), {"PYTHONUNBUFFERED": "1"})


@dataclass(frozen=True, slots=True, kw_only=True)
class VllmLauncher:
    """`tandem-engine serve`: real vLLM on CPU, run by an interpreter that has it, one core each."""

    python: Path
    model: Path
    served_name: str
    kv_lease_s: int
    drain_s: float

    def launch(self, role: Role, name: str, port: int, side_port: int) -> Launch:  # noqa: ARG002
        """See `EngineLauncher`; both roles get the same flags, the gateway tells them apart."""
        number = int(name.rpartition("-")[2])
        flags = {
            "--python": self.python,
            "--model": self.model,
            "--served-name": self.served_name,
            "--port": port,
            "--side-channel-port": side_port,
            "--kv-lease": self.kv_lease_s,
            "--shutdown-timeout": round(self.drain_s),
            "--cpu-core": number % (os.cpu_count() or 1),
        }
        return Launch(_tandem_engine("serve", flags), {})


def make_tiny_model(python: Path, folder: Path) -> None:
    """A model that `VllmLauncher` can serve; made once per folder, some seconds.

    Raises:
        TandemError: it could not be made, and why.

    """
    command = [*_tandem_engine("tiny-model", {"--python": python}), str(folder)]
    made = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if made.returncode:
        raise TandemError(made.stderr.strip().removeprefix("error: "))


def _tandem_engine(command: str, flags: Mapping[str, object]) -> list[str]:
    """The engine package's program of the same installation; it is run, never imported."""
    program = str(Path(sys.executable).with_name("tandem-engine"))
    return [program, command, *(str(word) for flag in flags.items() for word in flag)]
