"""`tandem-engine emulate`: its flags, read into settings, and the server run on them."""

import argparse
import asyncio

import uvloop

from tandem.api import duration
from tandem.errors import InvalidInputError
from tandem.perf.engine_profile import EngineProfile
from tandem.perf.library import profile
from tandem_engine.emulator import server
from tandem_engine.emulator.settings import Settings, default_side_channel_port

# Values stay text here, so that a mistake is told in our own words: flag, value, what is allowed.
FLAGS = (
    ("--port", "PORT", "8000", "HTTP port; 0 is any free one (default 8000)"),
    ("--host", "ADDRESS", "127.0.0.1", "HTTP address (default 127.0.0.1)"),
    ("--model", "NAME", None, "served model name (default: the profile's model)"),
    ("--cold-start", "DURATION", None, "total of the start-up stages (default: the profile's)"),
    ("--shutdown-timeout", "SECONDS", "0", "time to finish what runs on SIGTERM (default 0)"),
    ("--kv-lease", "SECONDS", "30", "a prefill leg's KV stays pinned this long (default 30)"),
    ("--max-model-len", "TOKENS", None, "context of one request (default: the KV, up to 131072)"),
    ("--seed", "NUMBER", "0", "engines of one seed say the same (default 0)"),
    ("--side-channel-host", "ADDRESS", None, "address of KV hand-over (default: --host)"),
    ("--side-channel-port", "PORT", None, "port of KV hand-over (default: --port + 1000)"),
)


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Declare the flags of `emulate`."""
    told = "built-in engine profile, or a JSON or TOML file"
    parser.add_argument("--profile", metavar="NAME|FILE", required=True, help=told)
    for flag, metavar, default, told in FLAGS:
        parser.add_argument(flag, metavar=metavar, default=default, help=told)


def run(flags: argparse.Namespace) -> int:
    """Serve an emulated engine until a signal asks to end."""
    told = settings(flags)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(server.run(told))
    return 0


def settings(flags: argparse.Namespace) -> Settings:
    """What the flags say."""
    engine = profile(flags.profile)
    port = _whole("--port", flags.port)
    side_port, most_tokens = flags.side_channel_port, flags.max_model_len
    return Settings(
        profile=engine,
        model=flags.model or engine.model,
        port=port,
        host=flags.host,
        cold_start_s=_cold_start_s(flags.cold_start, engine),
        shutdown_timeout_s=_number("--shutdown-timeout", flags.shutdown_timeout),
        lease_s=_whole("--kv-lease", flags.kv_lease),
        seed=_whole("--seed", flags.seed),
        max_model_len=None if most_tokens is None else _whole("--max-model-len", most_tokens),
        side_channel_host=flags.side_channel_host or flags.host,
        side_channel_port=default_side_channel_port(port)
        if side_port is None
        else _whole("--side-channel-port", side_port),
    )


def _cold_start_s(text: str | None, engine: EngineProfile) -> float:
    return engine.cold_start_total_s if text is None else duration.seconds(text, "--cold-start")


def _whole(flag: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise InvalidInputError(flag, text, "a whole number") from None


def _number(flag: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InvalidInputError(flag, text, "a number of seconds") from None
