"""Command lines of the engines that run as local processes."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tandem.api.role import Role


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

    profile: str
    model: str
    cold_start_s: float
    kv_lease_s: int
    drain_s: float

    def launch(self, role: Role, name: str, port: int, side_port: int) -> Launch:  # noqa: ARG002
        """See `EngineLauncher`; the emulator serves both roles with the same flags."""
        program = str(Path(sys.executable).with_name("tandem-engine"))
        flags = {
            "--port": port,
            "--side-channel-port": side_port,
            "--profile": self.profile,
            "--model": self.model,
            "--cold-start": f"{round(self.cold_start_s * 1000)}ms",
            "--kv-lease": self.kv_lease_s,
            "--shutdown-timeout": round(self.drain_s),
        }
        words = [str(word) for flag in flags.items() for word in flag]
        return Launch([program, "emulate", *words], {"PYTHONUNBUFFERED": "1"})
