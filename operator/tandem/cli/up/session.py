"""A fleet's life on this machine: start everything, run, end everything, whatever happens."""

import asyncio
import contextlib
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

import aiohttp

from tandem.api.role import Role
from tandem.cli.up.engine import DRAIN_S, ChosenEngine
from tandem.cli.up.history import History
from tandem.cli.up.load import Player
from tandem.cluster.local.addresses import LOOPBACK
from tandem.cluster.local.decisions import FILE as DECISIONS
from tandem.cluster.local.decisions import FileDecisions
from tandem.cluster.local.fleet import LocalCluster
from tandem.cluster.local.memory import FileStore
from tandem.cluster.local.process import Process
from tandem.cluster.pod import PodPhase
from tandem.cluster.scrape import DirectScrape
from tandem.controller.chronicle import Chronicle
from tandem.controller.loop import FleetLoop, Tick
from tandem.errors import TandemError
from tandem.planner.spec import FleetSpec

_GATEWAY_START_S = 30.0
_EXPLAINED_EVERY_S = 10.0  # a file is cheap
_RESTARTS = 2  # of one pod before the fleet is given up


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What to run."""

    spec: FleetSpec
    start: Mapping[Role, int]
    engine: ChosenEngine
    folder: Path
    port: int
    order: str
    kv_lease_s: float

    @property
    def gateway_url(self) -> str:
        """Where users send their requests."""
        return f"http://{LOOPBACK}:{self.port}"

    def gateway_command(self, registry: Path) -> list[str]:
        """The gateway of the same installation, in front of this fleet."""
        slo = self.spec.slo
        flags = {
            "--port": self.port,
            "--registry": registry,
            "--profile": self.engine.profile_path(self.folder),
            "--model": self.engine.model,
            "--ttft": f"{round(slo.ttft_s * 1000)}ms",
            "--tpot": f"{round(slo.tpot_s * 1000)}ms",
            "--order": self.order,
            "--kv-lease": f"{round(self.kv_lease_s * 1000)}ms",
        }
        words = [str(word) for flag in flags.items() for word in flag]
        return [sys.executable, "-m", "tandem.gateway", *words]


class NotUpError(TandemError):
    """The fleet did not come up."""


async def run(
    setting: Setting, player: Player, history: History, report: Callable[[Tick], None]
) -> None:
    """Play the load against a fleet that scales itself; ends when the load does, or on a signal."""
    stop = asyncio.Event()
    cluster = LocalCluster(setting.engine.launcher, setting.folder, DRAIN_S)
    with _signals(stop):
        try:
            async with _gateway(setting, cluster.registry_path, stop):
                await _first_pods(cluster, setting.start, stop)
                await _serve(setting, cluster, player, history, report, stop)
        finally:
            await _end(cluster, stop)


async def _serve(
    setting: Setting,
    cluster: LocalCluster,
    player: Player,
    history: History,
    report: Callable[[Tick], None],
    stop: asyncio.Event,
) -> None:
    caps = {role: spec.profile.batch_cap for role, spec in setting.spec.roles.items()}
    metrics = DirectScrape(setting.gateway_url, caps)
    loop = FleetLoop(
        cluster=cluster,
        metrics=metrics,
        spec=setting.spec,
        store=FileStore(setting.folder / "memory.json"),
        chronicle=Chronicle(FileDecisions(setting.folder / DECISIONS), _EXPLAINED_EVERY_S),
        now_s=time.time,
        report=report,
    )
    history.started_s = time.time()
    ticking = asyncio.create_task(loop.run(stop))
    try:
        await player.play(stop)
    finally:
        stop.set()
        await ticking
        await metrics.close()


@contextlib.asynccontextmanager
async def _gateway(setting: Setting, registry: Path, stop: asyncio.Event) -> AsyncIterator[None]:
    """Keep a gateway running: one that dies is started again at the same port."""
    ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(_keep_gateway(setting, registry, ready))
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait(
            (ready, task, stopping), timeout=_GATEWAY_START_S, return_when=asyncio.FIRST_COMPLETED
        )
        if not ready.done() and not stop.is_set():
            raise NotUpError(f"the gateway did not start: see {setting.folder / 'gateway.log'}")
        yield
    finally:
        stopping.cancel()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _keep_gateway(setting: Setting, registry: Path, ready: "asyncio.Future[None]") -> None:
    log = setting.folder / "gateway.log"
    while True:
        process = await Process.start("gateway", setting.gateway_command(registry), log)
        try:
            await _until_healthy(setting.gateway_url, process)
            if not ready.done():
                ready.set_result(None)
            await process.wait()
        finally:
            await process.stop(5.0)
        await asyncio.sleep(1.0)


async def _until_healthy(url: str, process: Process) -> None:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=1)) as http:
        while process.exit_code is None:
            with contextlib.suppress(aiohttp.ClientError, TimeoutError, OSError):
                async with http.get(f"{url}/health") as answer:
                    if answer.status == HTTPStatus.OK:
                        return
            await asyncio.sleep(0.1)


async def _first_pods(
    cluster: LocalCluster, start: Mapping[Role, int], stop: asyncio.Event
) -> None:
    """Ask for the first pods and wait until all of them serve."""
    for role, replicas in start.items():
        await cluster.scale(role, replicas)
    while not stop.is_set():
        pods = await cluster.pods()
        if all(pod.phase is PodPhase.READY for pod in pods):
            return
        broken = next((pod.message for pod in pods if pod.restarts > _RESTARTS), None)
        if broken:
            raise NotUpError(broken)
        await cluster.wait_changed(0.5)


async def _end(cluster: LocalCluster, stop: asyncio.Event) -> None:
    """Drain every pod; a second Ctrl-C kills what is left."""
    stop.clear()
    closing = asyncio.create_task(cluster.close())
    again = asyncio.create_task(stop.wait())
    await asyncio.wait((closing, again), return_when=asyncio.FIRST_COMPLETED)
    again.cancel()
    if not closing.done():
        closing.cancel()
        await cluster.kill()


@contextlib.contextmanager
def _signals(stop: asyncio.Event) -> Iterator[None]:
    """Ctrl-C and SIGTERM ask for an orderly end."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    try:
        yield
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
