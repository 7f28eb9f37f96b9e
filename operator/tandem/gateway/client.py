"""The user's side of one request, straight on ASGI: a stream's bytes pass with nothing around them."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus

from starlette.types import Receive, Scope, Send

from tandem.errors import InvalidInputError
from tandem.gateway import sse

LARGEST_BODY = 64 * 2**20  # bytes; a prompt of a million token ids has 7 MB
_FORWARDED = (b"authorization", b"traceparent", b"tracestate")
_KINDS = {
    HTTPStatus.BAD_REQUEST: "BadRequestError",
    HTTPStatus.TOO_MANY_REQUESTS: "RateLimitError",
    HTTPStatus.SERVICE_UNAVAILABLE: "ServiceUnavailableError",
    HTTPStatus.BAD_GATEWAY: "InternalServerError",
}


class Client:
    """One user waiting for one answer."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, request_id: str) -> None:
        self.is_gone = False
        self._is_streaming = False
        self._headers: list[tuple[bytes, bytes]] = scope["headers"]
        self._receive = receive
        self._send = send
        self._id = (b"x-request-id", request_id.encode("latin-1", "replace"))

    def forwarded(self) -> Mapping[str, str]:
        """The user's headers that go along with each leg."""
        return {
            name.decode("latin-1"): value.decode("latin-1")
            for name, value in self._headers
            if name in _FORWARDED
        }

    async def body(self) -> bytes:
        """All that the user sends; raises for too much of it."""
        parts, length = [], 0
        while (message := await self._receive())["type"] == "http.request":
            parts.append(message.get("body", b""))
            length += len(parts[-1])
            if length > LARGEST_BODY:
                raise InvalidInputError("body", f"{length} bytes", f"at most {LARGEST_BODY} bytes")
            if not message.get("more_body", False):
                return b"".join(parts)
        self.is_gone = True
        return b""

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Cancel what happens inside when the user leaves; then nobody is left to be told."""
        task = asyncio.current_task()
        assert task is not None
        watch = asyncio.create_task(self._cancel_when_gone(task))
        try:
            yield
        except asyncio.CancelledError:
            if not self.is_gone:
                raise
        finally:
            watch.cancel()  # before it can see the end of our own answer as a disconnect

    async def answer(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        """A whole answer."""
        await self._start(status, {**headers, "content-length": str(len(body))})
        await self._send({"type": "http.response.body", "body": body})

    async def refuse(
        self, status: HTTPStatus, message: str, field: str | None = None, retry_after_s: int = 0
    ) -> None:
        """An error in the form that clients of OpenAI's API read."""
        error = {"message": message, "type": _KINDS[status], "param": field, "code": int(status)}
        headers = {"content-type": "application/json"}
        if retry_after_s:
            headers["retry-after"] = str(retry_after_s)
        await self.answer(status, json.dumps({"error": error}).encode(), headers)

    async def start_stream(self, content_type: str) -> Send:
        """Begin a stream; what is returned takes its ASGI body messages."""
        await self._start(
            HTTPStatus.OK, {"content-type": content_type, "cache-control": "no-cache"}
        )
        self._is_streaming = True
        return self._send

    async def end_stream(self, last: bytes = b"") -> None:
        """End a stream."""
        self._is_streaming = False
        await self._send({"type": "http.response.body", "body": last})

    async def break_off(self, message: str) -> None:
        """An end before the answer's, said in whatever form it has by now."""
        if self._is_streaming:
            await self.end_stream(sse.error_event(message, HTTPStatus.SERVICE_UNAVAILABLE))
        else:
            await self.refuse(HTTPStatus.SERVICE_UNAVAILABLE, message, retry_after_s=1)

    async def _start(self, status: int, headers: Mapping[str, str]) -> None:
        pairs = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
        start = {"type": "http.response.start", "status": status, "headers": [*pairs, self._id]}
        await self._send(start)

    async def _cancel_when_gone(self, task: "asyncio.Task[object]") -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.is_gone = True
        task.cancel()
