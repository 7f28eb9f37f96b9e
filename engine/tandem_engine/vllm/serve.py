"""`tandem-engine serve`: become a vLLM engine, with the flags that its place in a fleet needs.

The process is replaced, so signals, exit code and memory are vLLM's own.
"""

import argparse
import os
import sys
from pathlib import Path
from typing import NoReturn

from tandem.errors import InvalidInputError
from tandem_engine.vllm.command import CPU_KV_BYTES, EngineSpec, command, environment

_LEAST_LEASE_S = 6  # vLLM renews every N // 6 seconds


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Declare the flags of `serve`."""
    add = parser.add_argument
    add("--python", type=Path, default=Path(sys.executable), help="interpreter that has vLLM")
    add("--model", type=Path, required=True, metavar="DIR", help="folder of the model")
    add("--served-name", default="tiny", metavar="NAME", help="name that users ask for")
    add("--host", default="127.0.0.1", metavar="ADDRESS", help="address of HTTP and KV hand-over")
    add("--port", type=int, required=True, help="HTTP port")
    add("--side-channel-port", type=int, required=True, metavar="PORT", help="port of KV hand-over")
    add("--kv-lease", type=int, default=30, metavar="SECONDS", help="at least 6 (default 30)")
    add("--shutdown-timeout", type=int, default=35, metavar="SECONDS", help="to finish what runs")
    add("--cpu-core", type=int, metavar="CORE", help="run on this core, without a GPU")


def run(flags: argparse.Namespace) -> int:
    """Replace this process by the engine; returns only when it can't be started."""
    for name, path in (("--python", flags.python), ("--model", flags.model)):
        if not path.exists():
            raise InvalidInputError(name, str(path), "a path that exists")
    if flags.kv_lease < _LEAST_LEASE_S:
        raise InvalidInputError("--kv-lease", flags.kv_lease, f"at least {_LEAST_LEASE_S}")
    spec = EngineSpec(
        model=flags.model,
        port=flags.port,
        side_channel_port=flags.side_channel_port,
        core=flags.cpu_core,
        kv_bytes=None if flags.cpu_core is None else CPU_KV_BYTES,
        served_name=flags.served_name,
        host=flags.host,
        lease_s=flags.kv_lease,
        drain_s=flags.shutdown_timeout,
    )
    return _become(command(flags.python, spec), environment(spec))


def _become(words: list[str], more: dict[str, str]) -> NoReturn:
    os.execve(words[0], words, {**os.environ, **more})  # noqa: S606 - no shell is wanted
