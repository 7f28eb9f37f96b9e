"""The flags of `tandem up`, checked; then the session, its view and its summary."""

import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Annotated

import typer
from rich.console import Console
from rich.live import Live

from tandem.api.role import Role
from tandem.cli import options
from tandem.cli.up import view
from tandem.cli.up.history import History, summary
from tandem.cli.up.load import Player
from tandem.cli.up.session import Setting
from tandem.cli.up.session import run as run_session
from tandem.cluster.local.addresses import free_port, require_free
from tandem.cluster.local.engines import EmulatorLauncher
from tandem.controller.loop import Tick
from tandem.errors import InvalidInputError
from tandem.perf.engine_profile import EngineProfile
from tandem.perf.library import profile as named_profile
from tandem.planner.check import check
from tandem.planner.spec import Behavior, FleetSpec, RoleSpec, Slo
from tandem.traces.generate import generate
from tandem.traces.read import read_trace
from tandem.traces.scale import at_rate
from tandem.traces.model import Trace

DEFAULT_PORT = 8080
DEFAULT_DURATION_S = 180.0
_AZURE = Path("azure2023/AzureLLMInferenceTrace_conv.csv.gz")
_STATUS_S = 15.0
_FRAMES_PER_S = 2


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
    profile: Annotated[str, typer.Option(help="Engine profile of every pod.")] = "a100-opt-13b-tp1",
    engine: Annotated[
        str, typer.Option(help="emulator | vllm (needs make venv-vllm).")
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
    min_prefill: Annotated[int, typer.Option(help="Fewest prefill pods.")] = 1,
    max_prefill: Annotated[int, typer.Option(help="Most prefill pods.")] = 6,
    min_decode: Annotated[int, typer.Option(help="Fewest decode pods.")] = 1,
    max_decode: Annotated[int, typer.Option(help="Most decode pods.")] = 6,
    cold_start: Annotated[
        str, typer.Option(help="Time that a pod takes from the asking to Ready.")
    ] = "5s",
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
    chosen = named_profile(profile)
    slo = Slo(
        ttft_s=options.seconds("--ttft", ttft),
        tpot_s=options.seconds("--tpot", tpot),
        attainment=options.share("--attainment", attainment),
    )
    cold_start_s = options.seconds("--cold-start", cold_start)
    limits = {
        Role.PREFILL: options.bounds("prefill", min_prefill, max_prefill),
        Role.DECODE: options.bounds("decode", min_decode, max_decode),
    }
    spec = _spec(
        chosen,
        slo,
        limits,
        cold_start_s,
        options.seconds("--interval", interval),
        policy,
        options.parameters(param),
    )
    check(spec)
    duration_s = options.seconds("--for", for_) if for_ else None
    if duration_s is None and not sys.stdout.isatty():
        duration_s = DEFAULT_DURATION_S
    played = _played(trace, rate, seed)
    home = _folder(folder)
    setting = Setting(
        spec=spec,
        launcher=_launcher(engine, chosen, cold_start_s),
        folder=home,
        port=_port(port),
        model=chosen.model,
        order=options.one_of("--order", order, ("feasible-first", "fcfs", "edf")),
        drain_s=60.0,
        kv_lease_s=30.0,
    )
    return _up(setting, played, chosen, duration_s, as_json=as_json)


def _spec(
    profile: EngineProfile,
    slo: Slo,
    limits: dict[Role, tuple[int, int]],
    cold_start_s: float,
    interval_s: float,
    policy: str,
    parameters: dict[str, float],
) -> FleetSpec:
    """One profile for both roles; how fast things may come down follows from the cold start."""
    roles = {
        role: RoleSpec(
            profile=profile, min_replicas=low, max_replicas=high, lead_time_s=cold_start_s
        )
        for role, (low, high) in limits.items()
    }
    return FleetSpec(
        slo=slo,
        roles=MappingProxyType(roles),
        behavior=Behavior(down_window_s=4 * cold_start_s + 10.0),
        policy=policy,
        parameters=MappingProxyType(parameters),
        interval_s=interval_s,
    )


def _launcher(engine: str, profile: EngineProfile, cold_start_s: float) -> EmulatorLauncher:
    options.one_of("--engine", engine, ("emulator", "vllm"))
    return EmulatorLauncher(
        profile=profile.name,
        model=profile.model,
        cold_start_s=cold_start_s,
        kv_lease_s=30,
        drain_s=60.0,
    )


def _played(path: Path | None, rate_rps: float | None, seed: int) -> Trace:
    """The trace to play: given, else Azure's where the data is, else generated."""
    data = os.environ.get("TANDEM_DATA")
    azure = Path(data) / _AZURE if data else None
    if path is None and azure is not None and azure.exists():
        path = azure
    if path is None:
        return generate(rate_rps or 5.5, 3600.0, seed)
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
    if asked:
        return require_free(asked)
    if asked is None:
        try:
            return require_free(DEFAULT_PORT)
        except InvalidInputError:
            typer.echo(f"port {DEFAULT_PORT} is taken: the gateway takes another", err=True)
    return free_port()


def _up(
    setting: Setting,
    trace: Trace,
    profile: EngineProfile,
    duration_s: float | None,
    *,
    as_json: bool,
) -> int:
    slo = setting.spec.slo
    player = Player(setting.gateway_url, setting.model, trace.requests, duration_s)
    history = History(slo=slo, started_s=time.time())
    console = Console(stderr=as_json)
    title = (
        f"tandem up: {trace.name} on {profile.name}, TTFT {slo.ttft_s:g} s, TPOT {slo.tpot_s:g} s, "
        f"attainment {slo.attainment:.1%}"
    )
    console.print(title, highlight=False)
    console.print(f"gateway {setting.gateway_url}   logs {setting.folder}", highlight=False)
    with _watching(console, history, player, title) as report:
        asyncio.run(run_session(setting, player, history, report))
    found = summary(history, player.felt, profile, time.time())
    if as_json:
        typer.echo(json.dumps(found, indent=1))
    else:
        view.print_summary(console, found)
    return 0


@contextmanager
def _watching(
    console: Console, history: History, player: Player, title: str
) -> Iterator[Callable[[Tick], None]]:
    """What is done with each tick: into the history, and onto the screen or into the log."""
    if not console.is_terminal:
        yield _log(console, history, player)
        return

    def screen() -> object:
        return view.screen(history, player.felt, time.time() - history.started_s, title)

    with Live(get_renderable=screen, console=console, refresh_per_second=_FRAMES_PER_S):  # type: ignore[arg-type]
        yield history.add


def _log(console: Console, history: History, player: Player) -> Callable[[Tick], None]:
    said_s = 0.0

    def report(tick: Tick) -> None:
        nonlocal said_s
        history.add(tick)
        now_s = time.time() - history.started_s
        for change in tick.changes:
            console.print(view.change_line(history, change), highlight=False, soft_wrap=True)
        if tick.error:
            console.print(tick.error, highlight=False, soft_wrap=True)
        if now_s - said_s >= _STATUS_S:
            said_s = now_s
            console.print(view.line(history, player.felt, now_s), highlight=False, soft_wrap=True)

    return report
