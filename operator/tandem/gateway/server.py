"""The process: a socket of our own, uvicorn on uvloop, and a drain before the end."""

import asyncio
import logging
import os
import signal
import socket
import sys
import time
from types import FrameType

import uvicorn
import uvloop

from tandem.gateway.app import Gateway, create_app
from tandem.gateway.settings import Settings

_BACKLOG = 2048  # connections not accepted yet: a burst of users, not a queue of ours
_KEEP_ALIVE_S = 75  # idle connections of users; longer than load balancers keep theirs (60 s)
_CUT_S = 1  # streams that are still open after the drain are cut within it
_log = logging.getLogger("tandem.gateway")


class DrainingServer(uvicorn.Server):
    """Uvicorn that listens on while it drains: a new request is told 503 and goes elsewhere."""

    def __init__(self, config: uvicorn.Config, gateway: Gateway) -> None:
        super().__init__(config)
        self._gateway = gateway
        self._drain_until_s = 0.0

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - uvicorn's signature
        """First signal: drain. Second one: cut what is left."""
        if self._gateway.is_draining:
            self.should_exit = True
            return
        self._gateway.is_draining = True
        self._drain_until_s = time.monotonic() + self._gateway.settings.drain_s
        _log.info("%s: no new requests", signal.Signals(sig).name)

    async def on_tick(self, counter: int) -> bool:
        """Uvicorn's beat of 0.1 s: end once the streams have, or their time is up."""
        if self._gateway.is_draining:
            is_late = time.monotonic() > self._drain_until_s
            self.should_exit = self.should_exit or is_late or not self._gateway.desk.serving
        return await super().on_tick(counter)


def listen(host: str, port: int) -> socket.socket:
    """A socket to serve on; raises `OSError` where the port is taken."""
    listener = socket.create_server((host, port), backlog=_BACKLOG)
    # Accepted sockets inherit it; asyncio's own loop would leave it off, and each answer waits 40 ms.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def server_of(gateway: Gateway) -> DrainingServer:
    """The server of one gateway, not yet started."""
    config = uvicorn.Config(
        create_app(gateway),
        http="httptools",
        ws="none",
        access_log=False,
        log_config=None,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=_CUT_S,
    )
    return DrainingServer(config, gateway)


def run(settings: Settings) -> int:
    """Serve until a signal; the exit code."""
    try:
        listener = listen(settings.host, settings.port)
    except OSError as error:
        sys.stderr.write(
            f"error: --port: {settings.host}:{settings.port}: {os.strerror(error.errno or 0)}\n"
        )
        return 1
    server = server_of(Gateway(settings))
    _log.info("listening on http://%s:%d", *listener.getsockname()[:2])
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(server.serve([listener]))
    return 0
