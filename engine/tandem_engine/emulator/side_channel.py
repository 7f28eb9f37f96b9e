"""How two emulators speak about leased KV: a line of JSON each way over TCP.

    ["hold", engine id, request id]      -> "ok" the lease runs on, "gone" there is none
    ["release", engine id, request id]   -> "ok" freed, "gone" it was free before

Where NIXL has its handshake, heartbeats and completion notices; the bytes themselves never travel.
"""

import json
from asyncio import Protocol, StreamReader, StreamWriter, Transport, open_connection
from asyncio.transports import BaseTransport
from dataclasses import dataclass
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


class Door(Protocol):
    """The prefill side: answers lines, one connection each."""

    def __init__(self, engine_id: str, leases: Leases) -> None:
        self._engine_id = engine_id
        self._leases = leases
        self._buffer = b""
        self._transport: Transport | None = None

    def connection_made(self, transport: BaseTransport) -> None:
        """Keep the connection to answer on."""
        self._transport = cast("Transport", transport)  # uvloop's is one in all but name

    def data_received(self, data: bytes) -> None:
        """Answer every whole line."""
        assert self._transport is not None
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        for line in lines:
            self._transport.write(OK if self._answer(line) else GONE)

    def _answer(self, line: bytes) -> bool:
        try:
            word, engine_id, request_id = json.loads(line)
        except ValueError:
            return False
        if engine_id != self._engine_id:  # an engine that stood at this port before
            return False
        return self._leases.hold(request_id) if word == "hold" else self._leases.release(request_id)


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
