"""How two emulators speak about leased KV: a line of JSON each way over TCP.

    ["hold", engine id, request id]      -> "ok" the lease runs on, "gone" there is none
    ["release", engine id, request id]   -> "ok" freed, "gone" it was free before

Where NIXL has its handshake, heartbeats and completion notices; the bytes themselves never travel.
"""

import json
from asyncio import (
    BaseTransport,
    Protocol,
    Server,
    StreamReader,
    StreamWriter,
    Transport,
    get_running_loop,
    open_connection,
)
from dataclasses import dataclass
from socket import socket
from typing import Any, Self, cast

from tandem_engine.emulator.lease import Leases

OK, GONE = b'"ok"\n', b'"gone"\n'


@dataclass(frozen=True, slots=True, kw_only=True)
class KvSource:
    """Where the KV of a prompt lies, as a prefill leg's `kv_transfer_params` tell."""

    engine_id: str
    request_id: str
    host: str
    port: int

    @classmethod
    def of(cls, params: dict[str, Any]) -> Self | None:
        """The source that these parameters name; None when they name none."""
        engine, request = params.get("remote_engine_id"), params.get("remote_request_id")
        host, port = params.get("remote_host"), params.get("remote_port")
        named = isinstance(engine, str) and isinstance(request, str) and isinstance(host, str)
        if not (params.get("do_remote_prefill") and named and isinstance(port, int)):
            return None
        return cls(engine_id=str(engine), request_id=str(request), host=str(host), port=port)


class SideChannel:
    """The prefill side: answers about its leases on every connection."""

    def __init__(self, engine_id: str, leases: Leases) -> None:
        self._engine_id = engine_id
        self._leases = leases
        self._open: set[Transport] = set()

    async def listen(self, listener: socket) -> Server:
        """Answer whoever connects to a listening socket."""
        return await get_running_loop().create_server(lambda: _Door(self), sock=listener)

    def close(self) -> None:
        """Leave everyone who is connected, as an engine that ends does."""
        for transport in list(self._open):
            transport.close()

    def opened(self, transport: Transport) -> None:
        """Know a connection."""
        self._open.add(transport)

    def closed(self, transport: Transport) -> None:
        """Forget a connection."""
        self._open.discard(transport)

    def answer(self, line: bytes) -> bytes:
        """The answer to one line; what is not understood is about nothing that is leased."""
        try:
            word, engine_id, request_id = json.loads(line)
        except (TypeError, ValueError):
            return GONE
        if engine_id != self._engine_id:  # an engine that stood at this port before
            return GONE
        words = {"hold": self._leases.hold, "release": self._leases.release}
        return OK if word in words and words[word](str(request_id)) else GONE


class _Door(Protocol):
    """One connection."""

    def __init__(self, channel: SideChannel) -> None:
        self._channel = channel
        self._buffer = b""
        self._transport: Transport | None = None

    def connection_made(self, transport: BaseTransport) -> None:
        self._transport = cast("Transport", transport)  # uvloop's is one in all but name
        self._channel.opened(self._transport)

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        for line in lines:
            self._transport.write(self._channel.answer(line))

    def connection_lost(self, _: Exception | None) -> None:
        assert self._transport is not None
        self._channel.closed(self._transport)


class Peer:
    """The decode side: one connection about one request's KV."""

    def __init__(self, source: KvSource, reader: StreamReader, writer: StreamWriter) -> None:
        self._source = source
        self._reader = reader
        self._writer = writer

    @classmethod
    async def of(cls, source: KvSource) -> Self:
        """Connect; OSError when nobody listens there."""
        return cls(source, *await open_connection(source.host, source.port))

    async def hold(self) -> bool:
        """Extend the lease; False when the KV is gone."""
        return await self._ask("hold")

    async def release(self) -> bool:
        """Tell that the KV is not needed any more; False when it had gone before."""
        return await self._ask("release")

    def close(self) -> None:
        """Leave; what was leased stays leased."""
        self._writer.close()

    async def _ask(self, word: str) -> bool:
        line = json.dumps([word, self._source.engine_id, self._source.request_id])
        self._writer.write(line.encode() + b"\n")
        answer = await self._reader.readline()
        if not answer:
            raise ConnectionResetError("the prefill engine has gone")
        return answer == OK
