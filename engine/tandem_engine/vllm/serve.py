"""`tandem-engine serve`: become a vLLM engine, with the flags that its place in a fleet needs.

The process is replaced, so signals, exit code and memory are vLLM's own.
"""

import argparse
import os
import sys
from pathlib import Path
from typing import NoReturn

from tandem_engine.vllm.command import EngineSpec, command, environment

_CPU_KV_BYTES = 32 * 2**20  # 16,384 tokens of the tiny model
_LEAST_LEASE_S = 6


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Declare the flags of `serve`."""
    parser.add_argument(
        "--python", type=Path, default=Path(sys.executable), help="interpreter that has vLLM"
    )
    parser.add_argument("--model", type=Path, required=True, help="folder of the model")
    parser.add_argument("--served-name", default="tiny", help="name that users ask for")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--side-channel-port", type=int, required=True)
    parser.add_argument("--kv-lease", type=int, default=30, metavar="SECONDS")
    parser.add_argument("--shutdown-timeout", type=int, default=35, metavar="SECONDS")
    parser.add_argument("--cpu-core", type=int, help="run on this core, without a GPU")


def run(flags: argparse.Namespace) -> int:
    """Replace this process by the engine; returns only when it can't be started."""
    for name, path in (("--python", flags.python), ("--model", flags.model)):
        if not path.exists():
            return _refuse(f"{name}: {str(path)!r} is not allowed: a path that exists")
    if flags.kv_lease < _LEAST_LEASE_S:
        return _refuse(f"--kv-lease: {flags.kv_lease} is not allowed: at least {_LEAST_LEASE_S}")
    spec = EngineSpec(
        model=flags.model,
        port=flags.port,
        side_channel_port=flags.side_channel_port,
        core=flags.cpu_core,
        kv_bytes=None if flags.cpu_core is None else _CPU_KV_BYTES,
        served_name=flags.served_name,
        host=flags.host,
        lease_s=flags.kv_lease,
        drain_s=flags.shutdown_timeout,
    )
    _become(command(flags.python, spec), environment(spec))


def _become(words: list[str], more: dict[str, str]) -> NoReturn:
    os.execve(words[0], words, {**os.environ, **more})  # noqa: S606 - no shell is wanted


def _refuse(message: str) -> int:
    sys.stderr.write(f"error: {message}\n")
    return 2
