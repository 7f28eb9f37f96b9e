"""How tokens reach a client: all at once, or each as its own server-sent event.

Both are pure ASGI: a token of a stream costs one wake-up of its task, two additions of bytes and
one `send`. Starlette's StreamingResponse costs a task group and an async generator on top.
"""

import asyncio
from collections.abc import Callable

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from tandem_engine.emulator.bodies import (
    DONE,
    Body,
    Completion,
    Usage,
    around_the_text,
    encoded,
    with_running_usage,
)
from tandem_engine.emulator.schema import UsageTold
from tandem_engine.emulator.tokens import Voice

ABORT = "abort"


class Reply(Response):
    """A response that FastAPI hands its connection to."""

    def __init__(self) -> None:
        self.status_code = 200
        self.background = None
        self.init_headers()  # without a body there is no content-length
        self.drop: Callable[[], None] = lambda: None  # what to do when the client has gone

    def token(self) -> None:
        """Hear that one more token is out."""
        raise NotImplementedError

    def end(self, reason: str) -> None:
        """Hear that no token follows."""
        raise NotImplementedError


class WholeAnswer(Reply):
    """Waits for the end and then says everything."""

    media_type = "application/json"

    def __init__(
        self, bodies: Completion, voice: Voice, prompt_tokens: int, kv: Callable[[], Body | None]
    ) -> None:
        super().__init__()
        self._bodies = bodies
        self._voice = voice
        self._prompt_tokens = prompt_tokens
        self._kv = kv
        self._tokens = 0
        self._ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def token(self) -> None:
        """Hear that one more token is out."""
        self._tokens += 1

    def end(self, reason: str) -> None:
        """Hear that no token follows."""
        if not self._ended.done():
            self._ended.set_result(reason)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or drop the request when its client has gone."""
        gone = asyncio.create_task(_gone(receive, self.drop))
        try:
            reason = await self._ended
        finally:
            gone.cancel()
        usage = Usage(prompt_tokens=self._prompt_tokens, completion_tokens=self._tokens)
        kv = None if reason == ABORT else self._kv()
        body = self._bodies.whole(self._voice.text(self._tokens), reason, usage, kv)
        await Response(encoded(body), media_type=self.media_type)(scope, receive, send)


class StreamedAnswer(Reply):
    """Says each token when it is out."""

    media_type = "text/event-stream"

    def __init__(
        self, bodies: Completion, voice: Voice, asked: Usage, usage_told: UsageTold
    ) -> None:
        super().__init__()
        self._bodies = bodies
        self._voice = voice
        self._asked = asked
        self._usage_told = usage_told
        self._before, self._after = around_the_text(bodies)
        self._running = with_running_usage(self._after, asked.prompt_tokens)
        self._tokens = 0
        self._pending: list[bytes] = []
        self._ended = False
        self._news = asyncio.Event()

    def token(self) -> None:
        """Hear that one more token is out."""
        if not self._tokens:
            self._pending.append(self._bodies.opening(self._running_usage()))
        piece = self._voice.piece(self._tokens)
        self._tokens += 1
        self._pending.append(self._event(piece))
        self._news.set()

    def _event(self, piece: bytes) -> bytes:
        if self._tokens == self._asked.completion_tokens:
            return self._bodies.chunk(piece.decode(), "length", self._running_usage())
        if self._usage_told is UsageTold.ALWAYS:
            total = self._asked.prompt_tokens + self._tokens
            return self._before + piece + self._running % (total, self._tokens)
        return self._before + piece + self._after

    def end(self, reason: str) -> None:
        """Hear that no token follows; a stream that is cut after its first token says so."""
        if reason == ABORT and self._tokens:
            self._pending.append(self._bodies.chunk("", ABORT, self._running_usage()))
        if self._usage_told is not UsageTold.NEVER:
            self._pending.append(self._bodies.usage(self._usage()))
        self._pending.append(DONE)
        self._ended = True
        self._news.set()

    def _usage(self) -> Usage:
        prompt = self._asked.prompt_tokens
        return Usage(prompt_tokens=prompt, completion_tokens=self._tokens)

    def _running_usage(self) -> Usage | None:
        return self._usage() if self._usage_told is UsageTold.ALWAYS else None

    async def __call__(self, _: Scope, receive: Receive, send: Send) -> None:
        """Stream, or drop the request when its client has gone."""
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        gone = asyncio.create_task(_gone(receive, self.drop))
        try:
            while not self._ended:
                await self._news.wait()
                self._news.clear()
                chunk, self._pending = b"".join(self._pending), []
                message = {"type": "http.response.body", "body": chunk, "more_body": True}
                await send(message)
        finally:
            gone.cancel()
        await send({"type": "http.response.body", "body": b"".join(self._pending)})


async def _gone(receive: Receive, drop: Callable[[], None]) -> None:
    """Wait until the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
    drop()
