"""The flags of `tandem up`, each checked before anything is started."""

import os
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Annotated

import typer

from tandem.api.role import Role
from tandem.cli import options, reachable
from tandem.cli.up.engine import ENGINES, ChosenEngine, emulator, fitting, vllm
from tandem.cli.up.session import Setting
from tandem.cli.up.show import up
from tandem.cluster.local.addresses import free_port, require_free
from tandem.errors import InvalidInputError
from tandem.planner.check import check
from tandem.planner.spec import Behavior, FleetSpec, RoleSpec, Slo
from tandem.routing.orders import ORDERS
from tandem.traces.generate import AZURE_RATE_RPS, generate
from tandem.traces.model import Trace
from tandem.traces.read import read_trace
from tandem.traces.scale import at_rate

DEFAULT_PORT = 8080
DEFAULT_DURATION_S = 180.0
_AZURE = Path("azure2023/AzureLLMInferenceTrace_conv.csv.gz")
KV_LEASE_S = 30.0


def run(
    trace: Annotated[
        Path | None,
        typer.Option(
            help="Trace to play; default: the Azure conversation trace under $TANDEM_DATA, else a generated one."
        ),
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option(
            help="Requests/s: thins the trace or lays copies over each other, never stretches time."
        ),
    ] = None,
    profile: Annotated[
        str | None,
        typer.Option(
            help="Engine profile of every pod: a built-in name, or a JSON or TOML file; default: a100-opt-13b-tp1."
        ),
    ] = None,
    engine: Annotated[
        str,
        typer.Option(help="emulator | vllm (real, on CPU, a tiny model; needs make venv-vllm)."),
    ] = "emulator",
    for_: Annotated[
        str | None,
        typer.Option(
            "--for",
            help="How long to play, such as 120s; default: until Ctrl-C in a terminal, else 3m.",
        ),
    ] = None,
    ttft: Annotated[str, typer.Option(help="TTFT target.")] = "1s",
    tpot: Annotated[str, typer.Option(help="TPOT target.")] = "40ms",
    attainment: Annotated[
        float, typer.Option(help="Share of all arrivals that shall meet both.")
    ] = 0.99,
    policy: Annotated[str, typer.Option(help="Scaling policy.")] = "tandem",
    param: Annotated[
        list[str] | None, typer.Option(help="NAME=VALUE of the policy's parameters.")
    ] = None,
    prefill: Annotated[int, typer.Option(help="Prefill pods at the start.")] = 2,
    decode: Annotated[int, typer.Option(help="Decode pods at the start.")] = 3,
    min_prefill: Annotated[int, typer.Option(help="Fewest prefill pods.")] = 1,
    max_prefill: Annotated[int, typer.Option(help="Most prefill pods.")] = 6,
    min_decode: Annotated[int, typer.Option(help="Fewest decode pods.")] = 1,
    max_decode: Annotated[int, typer.Option(help="Most decode pods.")] = 6,
    cold_start: Annotated[
        str | None,
        typer.Option(help="Time that a pod takes from the asking to Ready; default: 5s emulated."),
    ] = None,
    interval: Annotated[
        str, typer.Option(help="Time between two looks of the operator's loop.")
    ] = "2s",
    order: Annotated[
        str, typer.Option(help="Queue order of the gateway: feasible-first | fcfs | edf.")
    ] = "feasible-first",
    port: Annotated[
        int | None,
        typer.Option(
            help="Port of the gateway on loopback, 0 for any; default: 8080, or any where that is taken."
        ),
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option(
            "--dir", help="Folder for logs and state; default: a new one in the temporary folder."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of thinning, superposing and the generator.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> int:
    """Run a fleet on this machine: engines, gateway and the operator's loop, fed by real traffic."""
    options.one_of("--engine", engine, ENGINES)
    options.one_of("--order", order, tuple(ORDERS))
    slo = Slo(
        ttft_s=options.seconds("--ttft", ttft),
        tpot_s=options.seconds("--tpot", tpot),
        attainment=options.share("--attainment", attainment),
    )
    bounds = {
        Role.PREFILL: options.bounds("prefill", min_prefill, max_prefill),
        Role.DECODE: options.bounds("decode", min_decode, max_decode),
    }
    start = {
        Role.PREFILL: options.within("--prefill", prefill, bounds[Role.PREFILL]),
        Role.DECODE: options.within("--decode", decode, bounds[Role.DECODE]),
    }
    behavior = _Behavior(options.seconds("--interval", interval), policy, options.parameters(param))
    cold_start_s = options.seconds("--cold-start", cold_start) if cold_start else None
    duration_s = _duration_s(for_)
    played = _played(trace, rate, seed)
    home = _folder(folder)
    make = {"emulator": emulator, "vllm": vllm}[engine]
    chosen = make(profile, cold_start_s, KV_LEASE_S, home)
    spec = _spec(chosen, slo, bounds, behavior)
    check(spec)
    requests = tuple(fitting(request, chosen.context_tokens) for request in played.requests)
    reachable.require(slo, chosen.profile, requests)
    setting = Setting(
        spec=spec,
        start=start,
        engine=chosen,
        folder=home,
        port=_port(port),
        order=order,
        kv_lease_s=KV_LEASE_S,
    )
    return up(setting, replace(played, requests=requests), duration_s, as_json=as_json)


@dataclass(frozen=True, slots=True)
class _Behavior:
    """How the fleet is scaled."""

    interval_s: float
    policy: str
    parameters: Mapping[str, float]


def _duration_s(text: str | None) -> float | None:
    """How long to play; None is until Ctrl-C, for which there must be a terminal."""
    if text is not None:
        return options.seconds("--for", text)
    return None if sys.stdout.isatty() else DEFAULT_DURATION_S


def _spec(
    engine: ChosenEngine, slo: Slo, bounds: Mapping[Role, tuple[int, int]], behavior: _Behavior
) -> FleetSpec:
    """One profile for both roles; how fast things may come down follows from the cold start."""
    roles = {
        role: RoleSpec(
            profile=engine.profile,
            min_replicas=low,
            max_replicas=high,
            lead_time_s=engine.lead_time_s,
        )
        for role, (low, high) in bounds.items()
    }
    return FleetSpec(
        slo=slo,
        roles=MappingProxyType(roles),
        behavior=Behavior(down_window_s=5 * engine.lead_time_s + 20.0),
        policy=behavior.policy,
        parameters=MappingProxyType(dict(behavior.parameters)),
        interval_s=behavior.interval_s,
    )


def _played(path: Path | None, rate_rps: float | None, seed: int) -> Trace:
    """The trace to play: given, else Azure's where the data is, else generated."""
    data = os.environ.get("TANDEM_DATA")
    azure = Path(data) / _AZURE if data else None
    if path is None and azure is not None and azure.exists():
        path = azure
    if path is None:
        return generate(rate_rps or AZURE_RATE_RPS, 3600.0, seed)
    trace = read_trace(path)
    return trace if rate_rps is None else at_rate(trace, rate_rps, seed)


def _folder(asked: Path | None) -> Path:
    if asked is None:
        return Path(tempfile.mkdtemp(prefix="tandem-up-"))
    try:
        asked.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidInputError("--dir", str(asked), f"a folder to write to ({error})") from None
    return asked


def _port(asked: int | None) -> int:
    if asked is not None:
        return require_free(asked)
    try:
        return require_free(DEFAULT_PORT)
    except InvalidInputError:
        typer.echo(f"port {DEFAULT_PORT} is taken: the gateway takes another", err=True)
        return free_port()
