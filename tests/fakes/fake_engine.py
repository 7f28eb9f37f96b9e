"""An engine that behaves as it is told: answers, aborts, fails, hangs, or dies in mid-stream.

It speaks vLLM's side of the hand-over: a prefill leg pins KV under an id, and a decode leg with that
id, at whichever engine of the same `fabric`, lets it go.
"""

import asyncio
import itertools
import json
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tandem.api.role import Role
from tandem.cluster.pod import Pod, PodPhase

_ids = itertools.count(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """What the engine does with one leg; by default it answers at once."""

    delay_s: float = 0.0  # before its answer's head
    gate: asyncio.Event | None = None  # likewise, until the test opens it
    hang: bool = False  # never answers
    reset: bool = False  # closes the connection without a word
    status: int = 200
    body: bytes = b'{"error":{"message":"no","type":"BadRequestError","param":null,"code":400}}'
    abort: bool = False  # as a draining vLLM: 200 and no token
    no_kv: bool = False
    gap_s: float = 0.0  # between tokens
    die_after: int | None = None  # tokens, then the connection breaks
    error_after: int | None = None  # tokens, then an error event, as when vLLM's core dies
    stall_after: int | None = None  # tokens, then silence
    reads: tuple[bytes, ...] = ()  # the stream's very bytes, written piece by piece


@dataclass(slots=True)
class Leg:
    """A leg as the engine saw it; `end` is `answered`, or `closed` by the gateway."""

    path: str
    body: dict[str, Any]
    headers: Mapping[str, str]
    end: str = ""

    @property
    def kv_id(self) -> str:
        """Which KV a decode leg asks for."""
        return str(self.body["kv_transfer_params"].get("remote_request_id"))

    @property
    def is_prefill(self) -> bool:
        """Whether it is a prefill leg."""
        return bool(self.body["kv_transfer_params"].get("do_remote_decode"))


@dataclass(slots=True)
class FakeEngine:
    """One engine; `acts` are for the legs to come, in order, and then it answers at once."""

    name: str
    role: Role
    fabric: set[str]  # KV ids that are pinned somewhere
    url: str = ""
    acts: deque[Act] = field(default_factory=deque)
    legs: list[Leg] = field(default_factory=list)
    prompt_tokens: int = 326
    ever_pinned: int = 0

    def pod(self, phase: PodPhase = PodPhase.READY, revision: str = "") -> Pod:
        """How a registry lists it."""
        return Pod(name=self.name, role=self.role, phase=phase, url=self.url, revision=revision)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Serve one leg."""
        leg = Leg(request.path, await request.json(), request.headers)
        self.legs.append(leg)
        act = self.acts.popleft() if self.acts else Act()
        try:
            answer = await self._act(request, leg, act)
        except (asyncio.CancelledError, ConnectionError):
            leg.end = "closed"
            raise
        leg.end = "answered"
        return answer

    async def _act(self, request: web.Request, leg: Leg, act: Act) -> web.StreamResponse:
        if not leg.is_prefill and act.status == 200 and not act.abort:
            self.fabric.discard(leg.kv_id)
        await asyncio.sleep(3600 if act.hang else act.delay_s)
        if act.gate is not None:
            await act.gate.wait()
        if act.reset:
            assert request.transport is not None
            request.transport.abort()
            raise ConnectionResetError
        if act.status != 200:
            return web.Response(status=act.status, body=act.body, content_type="application/json")
        if leg.body.get("stream", False):
            return await self._stream(request, leg, act)
        return web.json_response(self._whole(leg, act))

    def _whole(self, leg: Leg, act: Act) -> dict[str, Any]:
        params = None
        if leg.is_prefill and not act.abort and not act.no_kv:
            kv_id = f"{self.name}-{next(_ids)}"
            self.fabric.add(kv_id)
            self.ever_pinned += 1
            params = {"remote_request_id": kv_id, "do_remote_prefill": True, "unknown": [[3, 4]]}
        tokens = 0 if act.abort else int(leg.body.get("max_tokens", 16))
        text = "z" * tokens
        reason = "abort" if act.abort else "length"
        said = {"message": {"content": text}} if "messages" in leg.body else {"text": text}
        return {
            "choices": [{"index": 0, "finish_reason": reason, **said}],
            "usage": {
                "prompt_tokens": self.prompt_tokens,
                "completion_tokens": tokens,
                "prompt_tokens_details": None,
            },
            "kv_transfer_params": params,
        }

    async def _stream(self, request: web.Request, leg: Leg, act: Act) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Type": "text/event-stream; charset=utf-8"})
        await answer.prepare(request)
        for read in act.reads:
            await answer.write(read)
            await asyncio.sleep(0.002)  # so that each piece is a read of its own
        if not act.reads:
            await self._tokens(request, answer, leg, act)
        await answer.write_eof()
        return answer

    async def _tokens(
        self, request: web.Request, answer: web.StreamResponse, leg: Leg, act: Act
    ) -> None:
        tokens = 0 if act.abort else int(leg.body.get("max_tokens", 16))
        for number in range(tokens):
            if number == act.die_after:
                assert request.transport is not None
                request.transport.abort()
                raise ConnectionResetError
            if number == act.error_after:
                await answer.write(b'data: {"error": {"message": "dead", "code": 500}}\n\n')
                break
            if number == act.stall_after:
                await asyncio.sleep(3600)
            await answer.write(token_event("z", last=number == tokens - 1))
            await asyncio.sleep(act.gap_s)
        if (leg.body.get("stream_options") or {}).get("include_usage"):
            await answer.write(usage_event(self.prompt_tokens, tokens))
        await answer.write(b"data: [DONE]\n\n")


def token_event(text: str, *, last: bool = False) -> bytes:
    """One token as vLLM streams it."""
    reason = "length" if last else None
    choice = {"index": 0, "text": text, "logprobs": None, "finish_reason": reason}
    return b"data: " + json.dumps({"id": "cmpl-1", "choices": [choice]}).encode() + b"\n\n"


def usage_event(prompt_tokens: int, completion_tokens: int) -> bytes:
    """The event after the last token, for who asked for it."""
    usage = {"prompt_tokens": prompt_tokens, "completion_tokens": completion_tokens}
    return b"data: " + json.dumps({"choices": [], "usage": usage}).encode() + b"\n\n"


@asynccontextmanager
async def running(engine: FakeEngine) -> AsyncIterator[FakeEngine]:
    """Serve on a free port of 127.0.0.1."""
    app = web.Application(client_max_size=2**26)
    for path in ("/v1/completions", "/v1/chat/completions"):
        app.router.add_post(path, engine.answer)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    engine.url = f"http://{host}:{port}"
    try:
        yield engine
    finally:
        await runner.cleanup()
