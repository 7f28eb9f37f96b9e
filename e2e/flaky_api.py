"""A proxy before the API server that misbehaves when a test wants it: away, slow, refusing, cut off.

What it is not told to spoil goes through as it is, the token of who asks included.
"""

import asyncio
import ssl
import threading
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import yaml
from aiohttp import web
from e2e.cluster.access import Box

from tandem.cluster.local.addresses import LOOPBACK, free_port

READS = frozenset({"GET", "HEAD"})
_DROPPED = frozenset({"Host", "Content-Length", "Transfer-Encoding", "Connection"})
_REASONS = {409: "Conflict", 410: "Expired", 429: "TooManyRequests", 500: "InternalError"}
_START_S = 10.0


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What happens to requests whose path has `path` in it, but for those that have `but`."""

    status: int = 0  # 0: the true answer
    wait_s: float = 0.0
    retry_after_s: int = 0
    writes_only: bool = True
    path: str = ""
    but: str = "\0"
    watches_only: bool = False

    def meets(self, request: web.BaseRequest) -> bool:
        if self.path not in request.path or self.but in request.path:
            return False
        if self.watches_only:
            return "watch" in request.query
        return request.method not in READS or not self.writes_only

    def answer(self) -> web.Response:
        """As the API server says no; in a watch it says so within the stream."""
        headers = {"Retry-After": f"{self.retry_after_s}"} if self.retry_after_s else {}
        body = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "code": self.status,
            "reason": _REASONS.get(self.status, "Unknown"),
            "message": "spoilt by a test",
        }
        if self.watches_only:
            return web.json_response({"type": "ERROR", "object": body})
        return web.json_response(body, status=self.status, headers=headers)


@dataclass
class FlakyApi:
    """The proxy, on a thread of its own; `counts` are answers by method and status."""

    upstream: str
    authority: str  # file of the CA
    port: int = field(default_factory=free_port)
    counts: Counter[tuple[str, int]] = field(default_factory=Counter)
    writes: list[tuple[str, str, int]] = field(default_factory=list)  # method, path, status
    _faults: tuple[Fault, ...] = ()
    _cut_lines: int = 0  # watches that break off within their next event
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    _open: dict[int, web.BaseRequest] = field(default_factory=dict)  # by identity
    _site: web.TCPSite | None = None

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    # -- what a test says -------------------------------------------------------------------------

    @contextmanager
    def spoilt(self, *faults: Fault) -> Iterator[None]:
        """These faults, as long as it lasts."""
        self._faults = faults
        try:
            yield
        finally:
            self._faults = ()

    @contextmanager
    def away(self) -> Iterator[None]:
        """Nobody listens, and what was under way broke off."""
        self._do(self._leave())
        try:
            yield
        finally:
            self._do(self._listen())

    def cut_watches(self) -> int:
        """Break off every watch; how many there were."""
        return int(self._do(self._cut()))

    @contextmanager
    def cut_within_events(self) -> Iterator[Callable[[], int]]:
        """Every watch breaks off in the middle of the next thing it tells; how many did so far."""
        self._cut_lines = 1
        try:
            yield lambda: self._cut_lines - 1
        finally:
            self._cut_lines = 0

    # -- its life ---------------------------------------------------------------------------------

    def run(self, ready: threading.Event) -> None:
        """Serve until `stop`."""
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve(ready))
        self._loop.close()

    def stop(self) -> None:
        """End the thread."""
        self._loop.call_soon_threadsafe(self._stopping.set)

    async def _serve(self, ready: threading.Event) -> None:
        self._stopping = asyncio.Event()
        context = ssl.create_default_context(cafile=self.authority)
        connector = aiohttp.TCPConnector(ssl=context, limit=0)
        timeout = aiohttp.ClientTimeout(total=None)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as self._client:
            self._runner = web.ServerRunner(web.Server(self._handle), shutdown_timeout=0.1)
            await self._runner.setup()
            await self._listen()
            ready.set()
            await self._stopping.wait()
            await self._leave()
            await self._runner.cleanup()

    async def _listen(self) -> None:
        self._site = web.TCPSite(self._runner, LOOPBACK, self.port)
        await self._site.start()

    async def _leave(self) -> None:
        if self._site is not None:
            await self._site.stop()
            self._site = None
        await self._cut(every=True)

    async def _cut(self, *, every: bool = False) -> int:
        cut = [request for request in self._open.values() if every or "watch" in request.query]
        for request in cut:
            _break_off(request)
        return len(cut)

    def _do(self, what: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(what, self._loop).result(_START_S)

    # -- one request ------------------------------------------------------------------------------

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        fault = next((fault for fault in self._faults if fault.meets(request)), Fault())
        self._open[id(request)] = request
        try:
            if self._site is None:
                _break_off(request)
            await asyncio.sleep(fault.wait_s)
            answer = fault.answer() if fault.status else await self._passed_on(request)
        finally:
            del self._open[id(request)]
        self.counts[request.method, answer.status] += 1
        if request.method not in READS:
            self.writes.append((request.method, request.path, answer.status))
        return answer

    async def _passed_on(self, request: web.BaseRequest) -> web.StreamResponse:
        headers = {name: value for name, value in request.headers.items() if name not in _DROPPED}
        url = f"{self.upstream}{request.raw_path}"
        body = await request.read() or None
        async with self._client.request(
            request.method, url, data=body, headers=headers, auto_decompress=False
        ) as found:
            kept = {name: value for name, value in found.headers.items() if name not in _DROPPED}
            if "watch" not in request.query:
                return web.Response(status=found.status, headers=kept, body=await found.read())
            answer = web.StreamResponse(status=found.status, headers=kept)
            await answer.prepare(request)
            with suppress(ConnectionError):
                await self._watched(request, found, answer)
            return answer

    async def _watched(
        self,
        request: web.BaseRequest,
        found: aiohttp.ClientResponse,
        answer: web.StreamResponse,
    ) -> None:
        async for data in found.content.iter_any():
            if self._cut_lines:
                self._cut_lines += 1
                await answer.write(data[: len(data) // 2])
                _break_off(request)
                return
            await answer.write(data)


def _break_off(request: web.BaseRequest) -> None:
    if request.transport is not None:
        request.transport.abort()


@contextmanager
def flaky_api(box: Box) -> Iterator[FlakyApi]:
    """The proxy of a cluster; to be called inside its network."""
    (cluster,) = yaml.safe_load(box.kubeconfig.read_text())["clusters"]
    server = cluster["cluster"]
    made = FlakyApi(server["server"], server["certificate-authority"])
    ready = threading.Event()
    thread = threading.Thread(target=made.run, args=(ready,), daemon=True)
    thread.start()
    assert ready.wait(_START_S)
    try:
        yield made
    finally:
        made.stop()
        thread.join(_START_S)
