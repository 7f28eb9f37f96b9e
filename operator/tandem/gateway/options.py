"""The gateway's command line; a mistake is one line that names the flag, the value and what is allowed."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from tandem.api import duration
from tandem.api.role import Role
from tandem.errors import InvalidInputError
from tandem.gateway.settings import Settings, lease_margin_s
from tandem.perf import library
from tandem.perf.engine_profile import EngineProfile
from tandem.routing.orders import ORDERS

_LAST_PORT = 65535


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise InvalidInputError("command line", message, "what `--help` lists")


def parser() -> argparse.ArgumentParser:
    """All flags, each with its default."""
    flags = _Parser(
        prog="python -m tandem.gateway",
        description="OpenAI-compatible gateway in front of one fleet of prefill and decode pods.",
        allow_abbrev=False,
    )
    add = flags.add_argument
    add("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    add("--port", type=int, default=8080, help="port, 0 for any (%(default)s)")
    add("--fleet", default="", metavar="NAME", help="the fleet, whose pods are watched")
    add("--namespace", default="", metavar="NS", help="its namespace")
    add("--registry", type=Path, metavar="FILE", help="list of the pods, instead of both")
    add("--profile", required=True, metavar="NAME", help="engine profile of both roles")
    for role in Role:
        add(f"--{role}-profile", metavar="NAME", help=f"another profile for {role} pods")
    add("--model", metavar="NAME", help="name in /v1/models (the profile's model)")
    add("--ttft", default="2s", metavar="TIME", help="target for the first token (%(default)s)")
    add("--tpot", default="50ms", metavar="TIME", help="target per further token (%(default)s)")
    add("--order", default="feasible-first", help=f"{' | '.join(ORDERS)} (%(default)s)")
    add("--kv-lease", default="30s", metavar="TIME", help="the engines' KV lease (%(default)s)")
    add("--lease-margin", metavar="TIME", help="unused end of the lease (2s or 10 %%, the longer)")
    add("--retries", type=int, default=3, help="further tries on other pairs (%(default)s)")
    add("--max-queue", type=int, default=10_000, help="requests that may wait (%(default)s)")
    add("--max-wait", default="60s", metavar="TIME", help="longest wait for a pod (%(default)s)")
    add(
        "--silence", default="60s", metavar="TIME", help="an engine's longest silence (%(default)s)"
    )
    add("--drain", default="30s", metavar="TIME", help="for streams after SIGTERM (%(default)s)")
    return flags


def settings(arguments: Sequence[str]) -> Settings:
    """The settings of a command line; raises `InvalidInputError`."""
    given = parser().parse_args(arguments)
    if not 0 <= given.port <= _LAST_PORT:
        raise InvalidInputError("--port", given.port, f"0 to {_LAST_PORT}")
    profiles = {role: _profile(given, role) for role in Role}
    kv_lease_s = _seconds("--kv-lease", given.kv_lease)
    margin = given.lease_margin
    return Settings(
        registry=given.registry,
        fleet=given.fleet,
        namespace=given.namespace,
        profiles=profiles,
        model=given.model or profiles[Role.DECODE].model,
        ttft_s=_seconds("--ttft", given.ttft),
        tpot_s=_seconds("--tpot", given.tpot),
        host=given.host,
        port=given.port,
        order=given.order,
        kv_lease_s=kv_lease_s,
        margin_s=_seconds("--lease-margin", margin) if margin else lease_margin_s(kv_lease_s),
        retries=given.retries,
        max_queue=given.max_queue,
        max_wait_s=_seconds("--max-wait", given.max_wait),
        silence_s=_seconds("--silence", given.silence),
        drain_s=_seconds("--drain", given.drain),
    )


def _profile(given: argparse.Namespace, role: Role) -> EngineProfile:
    flag = f"--{role}-profile"
    name = vars(given)[f"{role}_profile"]
    return library.profile(name, flag) if name else library.profile(given.profile)


def _seconds(flag: str, text: str) -> float:
    value = duration.seconds(text, flag)
    if value <= 0:
        raise InvalidInputError(flag, text, "a duration above zero")
    return value
