"""The process: a socket of our own, uvicorn on uvloop, and a drain before the end."""

import asyncio
import logging
import signal
import socket
import sys
from types import FrameType

import uvicorn
import uvloop

from tandem.gateway.app import Gateway, create_app
from tandem.gateway.settings import Settings

_LOOK_S = 0.1
_log = logging.getLogger("tandem.gateway")


class DrainingServer(uvicorn.Server):
    """Uvicorn that listens on while it drains: a new request is told 503 and goes elsewhere."""

    def __init__(self, config: uvicorn.Config, gateway: Gateway) -> None:
        super().__init__(config)
        self._gateway = gateway

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - uvicorn's signature
        """First signal: drain. Second one: end at once."""
        if self._gateway.is_draining:
            self.should_exit = self.force_exit = True
            return
        self._gateway.is_draining = True
        _log.info("%s: no new requests", signal.Signals(sig).name)

    async def on_tick(self, counter: int) -> bool:
        """Uvicorn's beat of 0.1 s: end once the streams have, or their time is up."""
        if self._gateway.is_draining and not self.should_exit:
            self._drained_s = getattr(self, "_drained_s", 0.0) + _LOOK_S
            self.should_exit = (
                not self._gateway.desk.serving or self._drained_s > self._gateway.settings.drain_s
            )
        return await super().on_tick(counter)


def run(settings: Settings) -> int:
    """Serve until a signal; the exit code."""
    try:
        listener = socket.create_server((settings.host, settings.port), backlog=2048)
    except OSError as error:
        sys.stderr.write(f"error: --port: {settings.host}:{settings.port}: {error.strerror}\n")
        return 1
    gateway = Gateway(settings)
    config = uvicorn.Config(
        create_app(gateway),
        http="httptools",
        ws="none",
        access_log=False,
        log_level="warning",
        log_config=None,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=1,
    )
    host, port = listener.getsockname()[:2]
    _log.info("listening on http://%s:%d", host, port)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(DrainingServer(config, gateway).serve([listener]))
    return 0
