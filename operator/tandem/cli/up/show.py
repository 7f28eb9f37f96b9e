"""A fleet that is up, as a person sees it: a live view in a terminal, lines in a log, a summary."""

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import typer
from rich.console import Console
from rich.live import Live

from tandem.cli.up import view
from tandem.cli.up.history import History, summary
from tandem.cli.up.load import Player
from tandem.cli.up.session import Setting, run
from tandem.controller.loop import Tick
from tandem.traces.model import Trace

_STATUS_S = 15.0
_FRAMES_PER_S = 2


def up(setting: Setting, trace: Trace, duration_s: float | None, *, as_json: bool) -> int:
    """Run the fleet and its load, show them, and end with a summary."""
    slo, profile = setting.spec.slo, setting.engine.profile
    player = Player(setting.gateway_url, setting.engine.model, trace.requests, duration_s)
    history = History(slo=slo, started_s=time.time())
    console = Console(stderr=as_json)
    title = (
        f"tandem up: {trace.name} on {profile.name}, TTFT {slo.ttft_s:g} s, TPOT {slo.tpot_s:g} s, "
        f"attainment {slo.attainment:.1%}"
    )
    if not console.is_terminal:
        console.print(title, highlight=False, soft_wrap=True)
    console.print(
        f"gateway {setting.gateway_url}   logs {setting.folder}", highlight=False, soft_wrap=True
    )
    with _watching(console, history, player, title) as report:
        asyncio.run(run(setting, player, history, report))
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
