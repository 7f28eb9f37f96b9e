"""Plays a trace against the gateway and notes what a user would have felt.

Requests come at their time, whatever became of those before them; only the turns of one session wait for
the answer before them and the user's thinking after it.
"""

import asyncio
import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import aiohttp

from tandem.traces.request import TraceRequest

_DATA = b"data: "
_DONE = b"data: [DONE]"
_USAGE = b'"choices":[]'  # the event that ends a stream with the counts of tokens
_COUNT = re.compile(rb'"completion_tokens": ?([0-9]+)')
_TAIL_BYTES = 1024
_LAST_TOKENS_S = 20.0  # how long what was sent may still run when the load has ended


@dataclass(slots=True)
class Felt:
    """One request as its user felt it; times in seconds from the start of the load."""

    arrival_s: float
    first_s: float | None = None
    last_s: float | None = None
    tokens: int = 0
    done: bool = False
    over: bool = False  # answered, refused or cut: nothing more will come
    ours: bool = False  # cut by our own end, so nobody knows what would have become of it

    def ttft_s(self) -> float:
        """Arrival to first token; infinite when none came."""
        return float("inf") if self.first_s is None else self.first_s - self.arrival_s

    def tpot_s(self) -> float:
        """Mean gap of the tokens after the first; zero where there is none."""
        if self.first_s is None or self.last_s is None or self.tokens <= 1:
            return 0.0
        return (self.last_s - self.first_s) / (self.tokens - 1)


@dataclass(slots=True)
class Player:
    """Sends every request at its time, whatever became of the ones before it."""

    url: str
    model: str
    requests: Sequence[TraceRequest]
    duration_s: float | None
    felt: list[Felt] = field(default_factory=list)
    started_s: float | None = None  # on the event loop's clock

    async def play(self, stop: asyncio.Event) -> None:
        """Send until `stop`, or until the trace has been repeated for `duration_s`; then wait no longer."""
        loop = asyncio.get_running_loop()
        self.started_s = started_s = loop.time()
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=10)
        connector = aiohttp.TCPConnector(limit=0)
        async with (
            aiohttp.ClientSession(timeout=timeout, connector=connector) as http,
            asyncio.TaskGroup() as tasks,
        ):
            sent = set()
            for arrival_s, turns in endless(conversations(self.requests)):
                if self.duration_s is not None and arrival_s > self.duration_s:
                    break
                if await _stopped(stop, started_s + arrival_s - loop.time()):
                    break
                task = tasks.create_task(self._converse(http, turns, arrival_s))
                sent.add(task)
                task.add_done_callback(sent.discard)
            await _finish(sent, stop)

    async def _converse(
        self, http: aiohttp.ClientSession, turns: Sequence[TraceRequest], arrival_s: float
    ) -> None:
        """Send one turn after the other; the first came at `arrival_s`."""
        loop, started_s = asyncio.get_running_loop(), self.started_s or 0.0
        for number, request in enumerate(turns):
            if number:
                await asyncio.sleep(request.think_s)
                arrival_s = loop.time() - started_s
            felt = Felt(arrival_s)
            self.felt.append(felt)
            await self._send(http, request, felt)

    async def _send(self, http: aiohttp.ClientSession, request: TraceRequest, felt: Felt) -> None:
        loop, started_s = asyncio.get_running_loop(), self.started_s or 0.0
        body = {
            "model": self.model,
            "prompt": prompt(request.input_tokens, len(self.felt)),
            "max_tokens": request.output_tokens,
            "ignore_eos": True,
            "temperature": 0,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        tail = b""
        try:
            async with http.post(f"{self.url}/v1/completions", json=body) as answer:
                if answer.status != 200:  # noqa: PLR2004
                    return
                async for chunk in answer.content.iter_any():
                    tail = (tail + chunk)[-_TAIL_BYTES:]
                    if chunk.count(_DATA) > chunk.count(_USAGE) + chunk.count(_DONE):
                        felt.last_s = loop.time() - started_s
                        felt.first_s = felt.last_s if felt.first_s is None else felt.first_s
            felt.tokens = _completion_tokens(tail)
            felt.done = felt.tokens >= request.output_tokens
        except (aiohttp.ClientError, TimeoutError, OSError):
            return
        except asyncio.CancelledError:
            felt.ours = True
            raise
        finally:
            felt.over = True


def _completion_tokens(tail: bytes) -> int:
    """Tokens of an answer by its last event, as an event may carry several; 0 where it was cut."""
    counts = _COUNT.findall(tail)
    return int(counts[-1]) if counts else 0


def prompt(tokens: int, seed: int) -> list[int]:
    """A prompt of exactly `tokens` token ids, small enough for any vocabulary, different for each seed."""
    head = [3 + (seed >> shift & 63) for shift in (0, 6, 12)]
    return (head + [3 + (i * 7 + seed) % 61 for i in range(tokens)])[:tokens]


def conversations(requests: Sequence[TraceRequest]) -> list[tuple[TraceRequest, ...]]:
    """Requests as they are begun: the turns of a session together, every other one alone."""
    begun: dict[object, list[TraceRequest]] = {}
    for number, request in enumerate(requests):
        begun.setdefault(request.session or number, []).append(request)
    return [tuple(turns) for turns in begun.values()]


def endless(
    begun: Sequence[tuple[TraceRequest, ...]],
) -> Iterator[tuple[float, tuple[TraceRequest, ...]]]:
    """(time, turns) of a trace that begins anew when it ends."""
    period_s = max(begun[-1][0].arrival_s, 1.0)
    for lap in itertools.count():
        for turns in begun:
            yield lap * period_s + turns[0].arrival_s, turns


async def _stopped(stop: asyncio.Event, wait_s: float) -> bool:
    """Whether `stop` was set within `wait_s`."""
    if wait_s <= 0:
        await asyncio.sleep(0)
        return stop.is_set()
    try:
        await asyncio.wait_for(stop.wait(), wait_s)
    except TimeoutError:
        return False
    return True


async def _finish(sent: set["asyncio.Task[None]"], stop: asyncio.Event) -> None:
    """Let what was sent come to its end for a while, but not past `stop`."""
    until_s = asyncio.get_running_loop().time() + _LAST_TOKENS_S
    while sent and not await _stopped(stop, 0.1):
        if asyncio.get_running_loop().time() > until_s:
            break
    for task in list(sent):
        task.cancel()
