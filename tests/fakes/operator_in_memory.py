"""An operator of one fleet on an API server in memory: it can be killed at any request."""

import asyncio
import contextlib
from collections.abc import Sequence
from math import inf
from typing import Any

from tests.fakes.controllers import run_controllers
from tests.fakes.kubernetes_api import FakeApiServer

from tandem.api.engine_profile import EngineProfile
from tandem.cluster.kubernetes.api import DEPLOYMENT, FLEET, POD, KubernetesApi
from tandem.cluster.kubernetes.request import Answer, Request
from tandem.cluster.kubernetes.seen import Seen
from tandem.cluster.pod import Pod
from tandem.cluster.ports import MetricsSource
from tandem.controller.control import FleetControl
from tandem.controller.fleet_turn import FleetTurn, Turn
from tandem.controller.metrics import OperatorMetrics
from tandem.controller.options import Images
from tandem.controller.pace import Pace
from tandem.controller.reporter import Reporter
from tandem.controller.sources import Sources
from tandem.controller.wanted import Wanted
from tandem.planner.observation import Traffic

IMAGES = Images(gateway="gateway:1", emulator="emulator:1", vllm="vllm:1")


class Killed(BaseException):
    """The operator ends here, in the middle of whatever it does."""


class Wire:
    """Requests on their way to a server; at number `kill_at` the operator dies."""

    def __init__(self, server: FakeApiServer, kill_at: int = 0, *, done: bool = False) -> None:
        self._server = server
        self._left = kill_at
        self._done = done  # what was asked for last is done, and its answer never read

    async def send(self, request: Request, timeout_s: float) -> Answer:
        self._left -= 1
        if self._left == 0 and not self._done:
            raise Killed
        answer = await self._server.send(request, timeout_s)
        if self._left == 0:
            raise Killed
        return answer

    async def close(self) -> None:
        """Nothing to let go of."""


class Silent:
    """A source of figures that has none."""

    async def read(self, pods: Sequence[Pod]) -> Traffic:
        return Traffic()


class _Sources(Sources):
    def of(self, wanted: Wanted, seen: Seen) -> MetricsSource:
        return Silent()


class _Turns(FleetTurn):
    """Turns after each of which the cluster does what it was asked for."""

    server: FakeApiServer

    async def once(self, wanted: Wanted) -> Turn:
        done = await super().once(wanted)
        run_controllers(self.server)
        return done


class _Control(FleetControl):
    """Turn after turn without a pause; notes how long each pause would have been."""

    def __init__(self, turn: FleetTurn, reporter: Reporter) -> None:
        super().__init__(turn, reporter)
        self.pauses_s: list[float] = []
        self.allowed = asyncio.Semaphore(0)

    async def _guarded(self) -> float:
        await self.allowed.acquire()
        self.pauses_s.append(await super()._guarded())
        return 0.0


class OperatorInMemory:
    """Keeps the fleet `name` in `namespace`, and sees what is there when it starts."""

    def __init__(
        self, server: FakeApiServer, namespace: str, name: str, wire: Wire | None = None
    ) -> None:
        api = KubernetesApi(wire or Wire(server))
        self.seen = Seen()
        for (kind, _, _), body in server.objects.items():
            if kind in {POD, DEPLOYMENT}:
                self.seen.event(kind, None, body)
        server.feed(self.seen)
        self.figures = OperatorMetrics(lambda: api.requests)
        self.turns = _Turns(
            api=api,
            seen=self.seen,
            sources=_Sources(),
            images=IMAGES,
            pace=Pace(most_load=inf),
            namespace=namespace,
            name=name,
        )
        self.turns.server = self._server = server
        self.control = _Control(self.turns, Reporter(api, self.figures, namespace, name))
        self._place = namespace, name
        self._running: asyncio.Task[None] | None = None

    def told(self, *profiles: EngineProfile) -> None:
        """The resource as the server has it now, and the profiles of its namespace."""
        body: dict[str, Any] = self._server.objects[FLEET, *self._place]
        self.control.told(body, {one.metadata.name: one for one in profiles})

    async def run(self, turns: int) -> None:
        """So many turns, or until it ends by itself."""
        end = len(self.control.pauses_s) + turns
        self._running = self._running or asyncio.create_task(self.control.run())
        for _ in range(turns):
            self.control.allowed.release()
        while len(self.control.pauses_s) < end and not self._running.done():  # noqa: ASYNC110 - nothing is waited for but turns
            await asyncio.sleep(0)
        if self._running.done():
            self._running.result()

    async def stop(self) -> None:
        """Cancelled, as when its resource is deleted."""
        if self._running is not None and not self._running.done():
            self._running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._running
