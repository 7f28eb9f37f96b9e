"""`tandem-engine serve`: become a vLLM engine, with the flags that its place in a fleet needs.

The process is replaced, so signals, exit code and memory are vLLM's own.
"""

import argparse
import os
import shutil
import sys
from pathlib import Path
from typing import NoReturn

from tandem.errors import InvalidInputError
from tandem_engine.vllm.command import (
    CPU_KV_BYTES,
    LEAST_LEASE_S,
    EngineSpec,
    command,
    environment,
)

_CPU_TOKENS = 2048  # of one request and of one step, on one core; on a GPU vLLM knows better
_EVERY_ADDRESS = ("", "0.0.0.0", "::")  # to listen on, but not to be found at


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Declare the flags of `serve`."""
    add = parser.add_argument
    add("--python", default=sys.executable, metavar="FILE|NAME", help="interpreter that has vLLM")
    add("--model", required=True, metavar="DIR|NAME", help="folder, or name on the hub")
    add("--served-name", metavar="NAME", help="name that users ask for (default: --model)")
    add("--host", default="127.0.0.1", metavar="ADDRESS", help="HTTP address (default 127.0.0.1)")
    add("--port", type=int, required=True, help="HTTP port")
    add("--side-channel-host", metavar="ADDRESS", help="address of KV hand-over (default: --host)")
    add("--side-channel-port", type=int, required=True, metavar="PORT", help="port of KV hand-over")
    add("--kv-lease", type=int, default=30, metavar="SECONDS", help="at least 6 (default 30)")
    add("--shutdown-timeout", type=int, default=35, metavar="SECONDS", help="to finish what runs")
    add("--max-model-len", type=int, metavar="TOKENS", help="context of one request")
    add("--tensor-parallel-size", type=int, metavar="GPUS", help="GPUs that share one model")
    add("--cpu-core", type=int, metavar="CORE", help="run on this core, without a GPU")
    add("more", nargs="*", metavar="-- VLLM", help="after --: words for vLLM itself, which win")


def run(flags: argparse.Namespace) -> int:
    """Replace this process by the engine; returns only when it can't be started."""
    python = shutil.which(flags.python)
    if python is None:
        raise InvalidInputError("--python", flags.python, "a path that exists, or a name on PATH")
    told = spec(flags)
    return _become(command(Path(python), told), environment(told))


def spec(flags: argparse.Namespace) -> EngineSpec:
    """What the flags say."""
    if flags.kv_lease < LEAST_LEASE_S:
        raise InvalidInputError("--kv-lease", flags.kv_lease, f"at least {LEAST_LEASE_S}")
    on_cpu = flags.cpu_core is not None
    most_tokens = _CPU_TOKENS if on_cpu else None
    return EngineSpec(
        model=_model(flags.model),
        port=flags.port,
        side_channel_port=flags.side_channel_port,
        core=flags.cpu_core,
        kv_bytes=CPU_KV_BYTES if on_cpu else None,
        served_name=flags.served_name or flags.model,
        host=flags.host,
        side_channel_host=_side_channel_host(flags.side_channel_host or flags.host),
        lease_s=flags.kv_lease,
        drain_s=flags.shutdown_timeout,
        context_tokens=most_tokens if flags.max_model_len is None else flags.max_model_len,
        batch_tokens=most_tokens,
        more=(*_parallel(flags.tensor_parallel_size), *flags.more),
    )


def _model(text: str) -> Path | str:
    """A folder where there is one; else a name, which never looks like a path."""
    path = Path(text)
    if path.exists():
        return path
    if path.is_absolute() or text.startswith("."):
        raise InvalidInputError("--model", text, "a path that exists, or a name on the hub")
    return text


def _side_channel_host(host: str) -> str:
    if host in _EVERY_ADDRESS:
        reachable = "an address that decode engines reach, such as the pod's own"
        raise InvalidInputError("--side-channel-host", host, reachable)
    return host


def _parallel(gpus: int | None) -> list[str]:
    return [] if gpus is None else [f"--tensor-parallel-size={gpus}"]


def _become(words: list[str], more: dict[str, str]) -> NoReturn:
    if "PYTHONPATH" in more and "PYTHONPATH" in os.environ:  # ours first, theirs not lost
        more = more | {"PYTHONPATH": f"{more['PYTHONPATH']}:{os.environ['PYTHONPATH']}"}
    os.execve(words[0], words, {**os.environ, **more})  # noqa: S606 - no shell is wanted
