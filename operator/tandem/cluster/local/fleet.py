"""A fleet of local processes behind the `Cluster` port.

Level-based, like a Deployment: `scale` changes what is wanted, one task makes it so. What died is
started again with a growing pause; what must go is drained: out of the registry first, so that the
gateway stops sending, then SIGTERM, and the engine finishes what it has.
"""

import asyncio
import contextlib
import itertools
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from pathlib import Path

import aiohttp

from tandem.api.role import Role
from tandem.cluster import registry
from tandem.cluster.local.addresses import LOOPBACK, free_port
from tandem.cluster.local.engines import EngineLauncher
from tandem.cluster.local.process import Process
from tandem.cluster.pod import Pod, PodPhase

_PROBE_S = 0.2
_UNROUTE_S = 0.5  # the gateway reads the registry every 0.1 s
_REWRITE_S = 5.0
_logger = logging.getLogger("tandem.cluster")
_PAUSES_S = (0.0, 1.0, 2.0, 5.0, 10.0, 30.0)  # before the n-th restart in a row


@dataclass(slots=True)
class _Member:
    """A pod and the task that keeps it running or drains it."""

    pod: Pod
    process: Process | None = None
    task: asyncio.Task[None] | None = None
    failures: int = 0
    drain: asyncio.Event = field(default_factory=asyncio.Event)


class LocalCluster:
    """Runs one process per pod; `folder` holds the registry and a log per pod."""

    def __init__(self, launcher: EngineLauncher, folder: Path, drain_s: float) -> None:
        self._launcher = launcher
        self._folder = folder
        self._drain_s = drain_s
        self._desired: dict[Role, int] = dict.fromkeys(Role, 0)
        self._members: dict[str, _Member] = {}
        self._numbers = itertools.count()
        self._changed = asyncio.Event()
        self._rewrite: asyncio.TimerHandle | None = None  # planned while the list can't be written
        self._http: aiohttp.ClientSession | None = None

    @property
    def registry_path(self) -> Path:
        """The file that a gateway watches."""
        return self._folder / "pods.json"

    # -- the port ---------------------------------------------------------------------------------

    async def pods(self) -> Sequence[Pod]:
        """Every pod that is not yet gone."""
        return tuple(member.pod for member in self._members.values())

    async def desired(self) -> Mapping[Role, int]:
        """Replicas asked for per role."""
        return dict(self._desired)

    async def scale(self, role: Role, replicas: int, drain_first: Sequence[str] = ()) -> None:
        """Ask for a number of replicas."""
        self._desired[role] = replicas
        staying = [m for m in self._members.values() if m.pod.role is role and not m.drain.is_set()]
        for _ in range(replicas - len(staying)):
            self._add(role)
        for member in _leaving(staying, len(staying) - replicas, drain_first):
            self._show(member, phase=PodPhase.DRAINING)
            member.drain.set()

    async def wait_changed(self, timeout_s: float) -> None:
        """Return when the list of pods changed, or after `timeout_s`."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._changed.wait(), timeout_s)
        self._changed.clear()

    async def close(self) -> None:
        """Drain every pod and wait until all are gone."""
        for role in Role:
            await self.scale(role, 0)
        tasks = [member.task for member in self._members.values() if member.task]
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._http is not None:
            await self._http.close()

    async def kill(self) -> None:
        """End every process now, streams or not."""
        self._desired = dict.fromkeys(Role, 0)
        members = list(self._members.values())
        for member in members:
            if member.task:
                member.task.cancel()
        await asyncio.gather(*(m.task for m in members if m.task), return_exceptions=True)
        if self._http is not None:
            await self._http.close()

    # -- one pod's life ---------------------------------------------------------------------------

    def _add(self, role: Role) -> None:
        name = f"{role}-{next(self._numbers)}"
        pod = Pod(name=name, role=role, phase=PodPhase.STARTING, url="", asked_s=time.time())
        member = self._members[name] = _Member(pod)
        member.task = asyncio.create_task(self._live(member), name=name)
        self._publish()

    async def _live(self, member: _Member) -> None:
        """Keep the pod running until it is drained; then it is gone from the list."""
        try:
            while not member.drain.is_set():
                await self._pause(member)
                if not member.drain.is_set():
                    await self._one_run(member)
        finally:
            if member.process is not None:
                await member.process.kill()
            del self._members[member.pod.name]
            self._publish()

    async def _one_run(self, member: _Member) -> None:
        """Start the process, tell when it is ready, return when it has died or was drained."""
        port = free_port()
        try:
            member.process = await self._start(member, port)
        except OSError as error:
            self._failed(member, f"can't be started: {error}")
            return
        ready = asyncio.create_task(self._until_ready(member, port))
        died = asyncio.create_task(member.process.wait())
        drained = asyncio.create_task(member.drain.wait())
        try:
            await asyncio.wait((died, drained), return_when=asyncio.FIRST_COMPLETED)
            if died.done():
                words = await member.process.last_words()
                self._failed(member, f"exit code {died.result()}: {words}")
            else:
                await self._drain(member)
        finally:
            for task in (ready, died, drained):
                task.cancel()

    async def _start(self, member: _Member, port: int) -> Process:
        name = member.pod.name
        launch = self._launcher.launch(member.pod.role, name, port, free_port())
        log = self._folder / f"{name}.log"
        self._show(member, url=f"http://{LOOPBACK}:{port}")
        return await Process.start(name, launch.command, log, launch.environment)

    async def _until_ready(self, member: _Member, port: int) -> None:
        while not await self._healthy(port):  # noqa: ASYNC110 - another process can't set our event
            await asyncio.sleep(_PROBE_S)
        if member.pod.phase is PodPhase.STARTING:
            member.failures = 0
            self._show(member, phase=PodPhase.READY, ready_s=time.time(), message="")

    async def _healthy(self, port: int) -> bool:
        if self._http is None:
            self._http = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2))
        try:
            async with self._http.get(f"http://{LOOPBACK}:{port}/health") as answer:
                return answer.status == HTTPStatus.OK
        except (aiohttp.ClientError, TimeoutError, OSError):
            return False

    async def _drain(self, member: _Member) -> None:
        if member.pod.ready_s is not None:
            await asyncio.sleep(_UNROUTE_S)
        assert member.process is not None
        await member.process.stop(self._drain_s + 5.0 if member.pod.ready_s else 1.0)

    def _failed(self, member: _Member, why: str) -> None:
        member.failures += 1
        self._show(
            member,
            phase=PodPhase.DRAINING if member.drain.is_set() else PodPhase.STARTING,
            ready_s=None,
            restarts=member.pod.restarts + 1,
            message=f"{member.pod.name} ended with {why}",
        )

    async def _pause(self, member: _Member) -> None:
        pause_s = _PAUSES_S[min(member.failures, len(_PAUSES_S) - 1)]
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(member.drain.wait(), pause_s)

    # -- the list ---------------------------------------------------------------------------------

    def _show(self, member: _Member, **changes: object) -> None:
        member.pod = replace(member.pod, **changes)  # type: ignore[arg-type]
        self._publish()

    def _publish(self) -> None:
        """Tell the gateway and whoever waits; a disk that is full is said and tried again."""
        self._changed.set()
        try:
            registry.write(self.registry_path, [member.pod for member in self._members.values()])
        except OSError as error:
            if self._rewrite is None:
                told = "%s: %s; the gateway does not see what changes until it can be written"
                _logger.warning(told, self.registry_path, error.strerror)
            else:
                self._rewrite.cancel()
            self._rewrite = asyncio.get_running_loop().call_later(_REWRITE_S, self._publish)
        else:
            self._rewrite = None


def _leaving(staying: list[_Member], count: int, drain_first: Sequence[str]) -> list[_Member]:
    """Whom to drain: who is not ready costs nobody a token, then as asked, then the youngest."""
    asked = {name: place for place, name in enumerate(drain_first)}

    def order(member: _Member) -> tuple[bool, int, float]:
        pod = member.pod
        return pod.phase is PodPhase.READY, asked.get(pod.name, len(asked)), -pod.asked_s

    return sorted(staying, key=order)[: max(0, count)]
