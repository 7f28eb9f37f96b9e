"""An API server that lists and streams the pods of one namespace, and fails as it is told."""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web

Body = dict[str, Any]


class WatchServer:
    """Pods by name, each change as an event to every open watch; `lists` are what was asked for."""

    def __init__(self) -> None:
        self.url = ""
        self.pods: dict[str, Body] = {}
        self.lists: list[Mapping[str, str]] = []
        self.watches: list[Mapping[str, str]] = []
        self.list_answers: deque[int] = deque()  # statuses of the lists to come; then 200
        self.watch_answers: deque[int] = deque()
        self.is_mute = False  # a watch that brings nothing, not even its end
        self._version = 100
        self._open: set[asyncio.Queue[bytes | None]] = set()

    @property
    def open_watches(self) -> int:
        """Streams that are open now."""
        return len(self._open)

    def put(self, body: Body) -> None:
        """Make or change a pod."""
        name = body["metadata"]["name"]
        type_ = "MODIFIED" if name in self.pods else "ADDED"
        self.pods[name] = self._stamped(body)
        self.event(type_, self.pods[name])

    def drop(self, name: str) -> None:
        """Delete a pod."""
        self.event("DELETED", self._stamped(self.pods.pop(name)))

    def event(self, type_: str, body: Body) -> None:
        """Tell every watch."""
        self.write(json.dumps({"type": type_, "object": body}).encode() + b"\n")

    def write(self, line: bytes) -> None:
        """These very bytes to every watch."""
        for each in self._open:
            each.put_nowait(line)

    def bookmark(self) -> str:
        """Only the version goes on."""
        body = self._stamped({"metadata": {}})
        self.event("BOOKMARK", body)
        return str(body["metadata"]["resourceVersion"])

    def cut(self) -> None:
        """Break every stream in its middle."""
        for each in self._open:
            each.put_nowait(None)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """One list or watch."""
        is_watch = request.query.get("watch") == "true"
        (self.watches if is_watch else self.lists).append(dict(request.query))
        answers = self.watch_answers if is_watch else self.list_answers
        status = answers.popleft() if answers else 200
        if status != 200:
            body = {"kind": "Status", "code": status, "reason": "Told", "message": "as told"}
            return web.json_response(body, status=status)
        if is_watch:
            return await self._stream(request)
        metadata = {"resourceVersion": str(self._version)}
        return web.json_response({"metadata": metadata, "items": list(self.pods.values())})

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        answer.enable_chunked_encoding()
        await answer.prepare(request)
        events: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._open.add(events)
        try:
            async with asyncio.timeout(float(request.query["timeoutSeconds"])):
                await self._send(request, answer, events)
        except TimeoutError:
            await answer.write_eof()
        finally:
            self._open.discard(events)
        return answer

    async def _send(
        self,
        request: web.Request,
        answer: web.StreamResponse,
        events: "asyncio.Queue[bytes | None]",
    ) -> None:
        if self.is_mute:
            await asyncio.sleep(3600)
        while (line := await events.get()) is not None:
            await answer.write(line)
        assert request.transport is not None
        request.transport.abort()

    def _stamped(self, body: Body) -> Body:
        self._version += 1
        metadata = {**body["metadata"], "resourceVersion": str(self._version)}
        return {**body, "metadata": metadata}


@asynccontextmanager
async def serving(server: WatchServer, kubeconfig: Path) -> AsyncIterator[WatchServer]:
    """Serve on a free port, and write a kubeconfig that leads there."""
    app = web.Application()
    app.router.add_get("/api/v1/namespaces/prod/pods", server.answer)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    server.url = f"http://{host}:{port}"
    kubeconfig.write_text(json.dumps(_kubeconfig(server.url)))  # noqa: ASYNC240 - small
    try:
        yield server
    finally:
        await runner.cleanup()


def _kubeconfig(url: str) -> Body:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "it",
        "clusters": [{"name": "it", "cluster": {"server": url}}],
        "users": [{"name": "it", "user": {"token": "secret"}}],
        "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
    }


def engine_pod(name: str, role: str = "prefill", *, ready: bool = True, **metadata: Any) -> Body:
    """An engine pod of fleet `chat`, as the API server tells it."""
    labels = {"tandem.dev/fleet": "chat", "tandem.dev/role": role, "tandem.dev/revision": "1"}
    condition = {
        "type": "Ready",
        "status": "True" if ready else "False",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    return {
        "metadata": {"name": name, "labels": labels, **metadata},
        "status": {"podIP": "10.88.0.7", "conditions": [condition]},
    }
