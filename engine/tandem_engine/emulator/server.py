"""Runs an emulator: its two ports, its start-up stages, and its end."""

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from dataclasses import replace

import uvicorn

from tandem.errors import TandemError
from tandem_engine.emulator.app import application
from tandem_engine.emulator.emulator import Emulator
from tandem_engine.emulator.settings import Settings
from tandem_engine.emulator.shutdown import Shutdown
from tandem_engine.emulator.side_channel import SideChannel

BACKLOG = 2048
LAST_WORDS_S = 1.0  # for the ends of cut streams; doubled, a client that hangs holds us so long
DATE_S = 1.0  # the header `date` counts seconds


class PortInUseError(TandemError):
    """An address that cannot be listened on."""

    def __init__(self, flag: str, host: str, port: int, why: str) -> None:
        super().__init__(f"{flag}: cannot listen on {host}:{port}: {why}")


async def run(settings: Settings) -> None:
    """Serve until a signal asks to end."""
    shutdown = Shutdown()
    shutdown.listen()
    async with serving(settings) as emulator:
        sys.stdout.write(_greeting(emulator.settings))
        sys.stdout.flush()
        await shutdown.drained(emulator, settings.shutdown_timeout_s)


@asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[Emulator]:
    """An emulator that listens, its settings naming its ports; at the end its streams are cut."""
    with (
        _listening("--port", settings.host, settings.port) as http,
        _listening(
            "--side-channel-port", settings.side_channel_host, settings.side_channel_port
        ) as side,
    ):
        emulator = Emulator(replace(settings, port=_port(http), side_channel_port=_port(side)))
        channel = SideChannel(emulator.engine_id, emulator.core.leases)
        door = await channel.listen(side)
        server = _Server(_config(emulator))
        served = asyncio.create_task(server.serve(sockets=[http]))
        starting = asyncio.create_task(emulator.startup.run())
        try:
            yield emulator
        finally:
            starting.cancel()
            emulator.is_draining = True
            emulator.core.abort_all()
            server.leave()
            await served
            await emulator.pulls.settled()
            door.close()
            channel.close()


def _greeting(settings: Settings) -> str:
    return (
        f"emulator of {settings.profile.name} serves {settings.model} on "
        f"http://{settings.host}:{settings.port}, KV hand-over on "
        f"{settings.side_channel_host}:{settings.side_channel_port}\n"
    )


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers (`Shutdown` has them) and its ten ticks a second."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._leaving = asyncio.Event()

    def leave(self) -> None:
        """Stop listening, and end when the connections have."""
        self.should_exit = True
        self._leaving.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def main_loop(self) -> None:
        while not await self.on_tick(0):  # 0: renews the date that every answer names
            with suppress(TimeoutError):
                await asyncio.wait_for(self._leaving.wait(), DATE_S)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let every answer reach its client, but wait for none that does not read."""
        cut = asyncio.get_running_loop().call_later(LAST_WORDS_S, self._cut)
        await super().shutdown(sockets)
        cut.cancel()

    def _cut(self) -> None:
        for connection in list(self.server_state.connections):
            if connection.transport is not None:
                connection.transport.abort()


def _config(emulator: Emulator) -> uvicorn.Config:
    return uvicorn.Config(
        application(emulator),
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
    )


@contextmanager
def _listening(flag: str, host: str, port: int) -> Iterator[socket.socket]:
    """A socket that listens from now on, before anything is built that could fail later."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        why = os.strerror(error.errno) if error.errno else str(error)
        raise PortInUseError(flag, host, port, why) from error
    listener.setblocking(False)
    with closing(listener):
        yield listener


def _port(listener: socket.socket) -> int:
    port: int = listener.getsockname()[1]
    return port
