"""A gateway of this process in front of fake engines; at its end nothing may be left in flight."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from tests.fakes.fake_engine import FakeEngine, running

from tandem.api.role import Role
from tandem.cluster.exposition import samples
from tandem.gateway.app import Gateway
from tandem.gateway.desk import Desk
from tandem.gateway.server import DrainingServer, listen, server_of
from tandem.gateway.settings import Settings
from tandem.perf.library import profile

PROFILE = profile("h200-llama-3.1-8b-fp8-tp1")
ASK: Mapping[str, Any] = {"model": "tiny", "prompt": "hello world", "max_tokens": 4}


def settings(**changed: Any) -> Settings:
    """Calm defaults."""
    given = {
        "registry": Path("/nonexistent/pods.json"),
        "profiles": dict.fromkeys(Role, PROFILE),
        "model": "tiny",
        "ttft_s": 2.0,
        "tpot_s": 0.05,
        "max_wait_s": 5.0,
    }
    return Settings(**{**given, **changed})


@dataclass(slots=True)
class Fleet:
    """A gateway, its engines, and a user."""

    gateway: Gateway
    server: DrainingServer
    url: str
    user: aiohttp.ClientSession
    engines: dict[str, FakeEngine]
    fabric: set[str] = field(default_factory=set)

    @property
    def desk(self) -> Desk:
        return self.gateway.desk

    def __getitem__(self, name: str) -> FakeEngine:
        return self.engines[name]

    def list_pods(self, *names: str) -> None:
        """The registry lists these engines, or all of them."""
        self.desk.pods.replace([self[name].pod() for name in names or self.engines])

    async def ask(
        self, path: str = "/v1/completions", headers: Mapping[str, str] | None = None, **body: Any
    ) -> tuple[int, bytes]:
        """Status and body of one request."""
        asked = {**ASK, **body}
        async with self.user.post(self.url + path, json=asked, headers=headers) as answer:
            return answer.status, await answer.read()

    async def stream(self, **body: Any) -> tuple[int, bytes]:
        """Status and body of one streamed request."""
        return await self.ask(stream=True, **body)

    async def metric(self, name: str, **labels: str) -> float:
        """One value of /metrics; 0 for a series that is not there."""
        async with self.user.get(self.url + "/metrics") as answer:
            text = await answer.text()
        return sum(
            sample.value
            for sample in samples(text, [name])
            if labels.items() <= sample.labels.items()
        )

    async def until(self, happened: Callable[[], object], timeout_s: float = 5.0) -> None:
        """Wait until something is so."""
        async with asyncio.timeout(timeout_s):
            while not happened():  # noqa: ASYNC110 - what happens has no event of its own
                await asyncio.sleep(0.005)

    def is_quiet(self) -> bool:
        """Nothing waits, nothing is in flight, no KV is accounted for."""
        dispatch = self.desk.dispatch
        loads = [load for role in Role for load in dispatch.loads(role)]
        return not (
            dispatch._router._flights
            or dispatch._turns
            or dispatch._decodes
            or self.desk.serving
            or any(load.tokens or load.pinned or load.tokens_sum for load in loads)
        )


@asynccontextmanager
async def fleet(prefill: int = 1, decode: int = 1, **changed: Any) -> AsyncIterator[Fleet]:
    """A running fleet, all its pods listed."""
    fabric: set[str] = set()
    async with AsyncExitStack() as stack:
        engines = [
            await stack.enter_async_context(
                running(FakeEngine(f"{role.value[0]}{number}", role, fabric))
            )
            for role, count in ((Role.PREFILL, prefill), (Role.DECODE, decode))
            for number in range(count)
        ]
        gateway = Gateway(settings(**changed))
        listener = listen("127.0.0.1", 0)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        server = await started(gateway, listener)
        user = await stack.enter_async_context(
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        )
        made = Fleet(gateway, server, url, user, {x.name: x for x in engines}, fabric)
        try:
            made.list_pods()
            yield made
            await made.until(made.is_quiet)
        finally:
            await user.close()
            await server.shutdown([listener])


async def started(gateway: Gateway, listener: socket.socket) -> DrainingServer:
    """A server that takes requests, without the beat and the signals of its `serve`."""
    server = server_of(gateway)
    server.config.load()
    server.lifespan = server.config.lifespan_class(server.config)
    await server.startup([listener])
    return server
