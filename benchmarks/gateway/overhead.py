"""What the gateway adds: latency per request and CPU per token, against the same engine asked directly.

Run `python benchmarks/gateway/overhead.py`; it prints one JSON object. Engine, gateway and users are
three processes on this machine. The engine is a bare server that sends one token a write, so that its
own cost is small beside the gateway's. Tokens a core are tokens over the gateway's CPU seconds, which
a busy machine changes little; the latencies want an idle one.
"""

import argparse
import asyncio
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import uvloop

from tandem.api.role import Role
from tandem.cluster import registry
from tandem.cluster.pod import Pod, PodPhase

PROFILE = "h200-llama-3.1-8b-fp8-tp1"
TICKS = os.sysconf("SC_CLK_TCK")
CHOICE = '{"index":0,"text":" word","logprobs":null,"finish_reason":%s,"stop_reason":null,"token_ids":null}'
EVENT = 'data: {"id":"cmpl-0123456789abcdef0123456789abcdef","object":"text_completion","created":1795190799,"model":"tiny","choices":[%s]}\n\n'
TOKEN, LAST = ((EVENT % (CHOICE % reason)).encode() for reason in ("null", '"length"'))
HANDED_OVER = {"remote_request_id": "x", "remote_block_ids": [[1, 2]], "do_remote_prefill": True}
PREFILLED = json.dumps(
    {
        "choices": [{"index": 0, "text": "a", "finish_reason": "length"}],
        "usage": {"prompt_tokens": 100, "completion_tokens": 1},
        "kv_transfer_params": HANDED_OVER,
    }
).encode()


# -- the engine ---------------------------------------------------------------------------------------


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One connection: a prefill leg is answered, a decode leg streams `max_tokens` tokens."""
    with suppress(asyncio.IncompleteReadError, ConnectionError):
        while True:
            body = json.loads(await read_message(reader))
            if body["kv_transfer_params"].get("do_remote_decode"):
                head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
                writer.write(head % len(PREFILLED) + PREFILLED)
            else:
                await stream(writer, body["max_tokens"], body["gap_s"])
            await writer.drain()
    writer.close()


async def stream(writer: asyncio.StreamWriter, tokens: int, gap_s: float) -> None:
    """Tokens on a beat, one write each."""
    writer.write(
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    )
    next_s = time.monotonic()
    for number in range(tokens):
        writer.write(chunk(LAST if number == tokens - 1 else TOKEN))
        next_s += gap_s
        await asyncio.sleep(max(0.0, next_s - time.monotonic()))
    writer.write(chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n")


def chunk(data: bytes) -> bytes:
    """One HTTP chunk."""
    return b"%x\r\n%s\r\n" % (len(data), data)


async def read_message(reader: asyncio.StreamReader) -> bytes:
    """The body of the next message with a length."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
    return await reader.readexactly(length)


async def engine(port: int) -> None:
    """Serve for ever."""
    server = await asyncio.start_server(serve, "127.0.0.1", port)
    await server.serve_forever()


# -- the users ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Seen:
    """One stream as its user saw it."""

    ttft_s: float
    tokens: int
    first_s: float
    last_s: float


class User:
    """A user with a connection of its own; `direct` means that it pairs the legs itself."""

    def __init__(self, port: int, *, direct: bool) -> None:
        self._port = port
        self._direct = direct

    async def ask(self, tokens: int, gap_s: float) -> Seen:
        """Ask for one stream and read it to its end."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        began_s = time.monotonic()
        body = {"model": "tiny", "prompt": [7] * 100, "max_tokens": tokens, "gap_s": gap_s}
        if self._direct:
            self._send(writer, {**body, "kv_transfer_params": {"do_remote_decode": True}})
            params = json.loads(await read_message(reader))["kv_transfer_params"]
            body["kv_transfer_params"] = params
        self._send(writer, {**body, "stream": True})
        found = await self._read(reader, began_s)
        writer.close()
        return found

    def _send(self, writer: asyncio.StreamWriter, body: dict[str, object]) -> None:
        content = json.dumps(body).encode()
        head = b"POST /v1/completions HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n"
        writer.write(head + b"content-length: %d\r\n\r\n" % len(content) + content)

    async def _read(self, reader: asyncio.StreamReader, began_s: float) -> Seen:
        first_s = last_s = 0.0
        events, tail = 0, b""
        while not tail.endswith(b"0\r\n\r\n"):
            read = await reader.read(65536)
            assert read, "the stream broke off"
            tail = (tail + read)[-16:]
            last_s = time.monotonic()
            events += read.count(b"data: {")
            first_s = first_s or (last_s if events else 0.0)
        return Seen(first_s - began_s, events, first_s, last_s)


# -- the measurement ----------------------------------------------------------------------------------


def cpu_s(pid: int) -> float:
    """CPU seconds of a process so far, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


async def one_by_one(user: User, requests: int) -> dict[str, float]:
    """Time to the only token of requests that come alone, milliseconds."""
    seen = [await user.ask(1, 0.0) for _ in range(requests)]
    times_ms = sorted(1000 * x.ttft_s for x in seen)
    return {"p50_ms": statistics.median(times_ms), "p99_ms": times_ms[int(len(times_ms) * 0.99)]}


async def together(user: User, streams: int, tokens: int, gap_s: float) -> dict[str, float]:
    """Streams at once: tokens a second of all, and each user's mean time between tokens."""
    began_s = time.monotonic()
    seen = await asyncio.gather(*(user.ask(tokens, gap_s) for _ in range(streams)))
    wall_s = time.monotonic() - began_s
    got = sum(x.tokens for x in seen)
    assert got == streams * tokens, f"{got} tokens came of {streams * tokens}"
    tpot_ms = sorted(1000 * (x.last_s - x.first_s) / (x.tokens - 1) for x in seen)
    return {
        "tokens_per_s": got / wall_s,
        "tpot_p50_ms": statistics.median(tpot_ms),
        "tpot_max_ms": tpot_ms[-1],
    }


async def measure(
    flags: argparse.Namespace, engine_port: int, gateway_port: int, pid: int
) -> dict[str, object]:
    """All figures of one run, directly and through the gateway."""
    direct, through = User(engine_port, direct=True), User(gateway_port, direct=False)
    await one_by_one(through, 50)  # warm
    alone = {"direct": await one_by_one(direct, flags.requests)}
    before_s = cpu_s(pid)
    alone["gateway"] = await one_by_one(through, flags.requests)
    request_cpu_s = (cpu_s(pid) - before_s) / flags.requests
    loads = {}
    for name, gap_s in (("paced", flags.gap), ("flat out", 0.0)):
        load = (flags.streams, flags.tokens, gap_s)
        at_direct = await together(direct, *load)
        before_s = cpu_s(pid)
        at_gateway = await together(through, *load)
        token_cpu_s = (cpu_s(pid) - before_s) / (flags.streams * flags.tokens)
        loads[name] = {
            "direct": at_direct,
            "gateway": at_gateway,
            "gateway_over_direct_tokens_per_s": at_gateway["tokens_per_s"]
            / at_direct["tokens_per_s"],
            "gateway_over_direct_tpot_p50": at_gateway["tpot_p50_ms"] / at_direct["tpot_p50_ms"],
            "gateway_cpu_us_per_token": 1e6 * token_cpu_s,
            "gateway_tokens_per_s_per_core": 1 / token_cpu_s,
        }
    return {
        "streams": flags.streams,
        "tokens": flags.tokens,
        "gap_s": flags.gap,
        "one_by_one": alone,
        "added_ms_per_request_p50": alone["gateway"]["p50_ms"] - alone["direct"]["p50_ms"],
        "gateway_cpu_ms_per_request": 1000 * request_cpu_s,
        "requests_per_s_per_core": 1 / request_cpu_s,
        "loads": loads,
    }


def free_port() -> int:
    """A port that is free now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextmanager
def process(*words: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A child of this interpreter, ended afterwards."""
    child = subprocess.Popen([sys.executable, *words], stderr=subprocess.DEVNULL)
    try:
        yield child
    finally:
        child.terminate()
        child.wait()


def wait_for(port: int) -> None:
    """Return when somebody listens."""
    for _ in range(200):
        with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.1)
    raise SystemExit(f"nobody listens on {port}")


def main() -> None:
    """Measure, or be the engine."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, default=50)
    parser.add_argument("--tokens", type=int, default=400, help="a stream")
    parser.add_argument("--gap", type=float, default=0.01, help="seconds between tokens, paced")
    parser.add_argument("--requests", type=int, default=300, help="one by one")
    parser.add_argument("--engine", type=int, help=argparse.SUPPRESS)
    flags = parser.parse_args()
    if flags.engine:
        uvloop.run(engine(flags.engine))
    engine_port, gateway_port = free_port(), free_port()
    url = f"http://127.0.0.1:{engine_port}"
    with tempfile.TemporaryDirectory() as folder:
        pods = Path(folder) / "pods.json"
        # As many prefill pods as streams: what is measured is the gateway, not the wait for a turn.
        names = [(Role.DECODE, "d0"), *((Role.PREFILL, f"p{n}") for n in range(flags.streams))]
        listed = [Pod(name=name, role=role, phase=PodPhase.READY, url=url) for role, name in names]
        registry.write(pods, listed)
        words = ("--registry", str(pods), "--profile", PROFILE, "--port", str(gateway_port))
        with (
            process(__file__, "--engine", str(engine_port)),
            process("-m", "tandem.gateway", *words) as gateway,
        ):
            wait_for(engine_port)
            wait_for(gateway_port)
            time.sleep(0.3)  # the gateway has read its list
            found = uvloop.run(measure(flags, engine_port, gateway_port, gateway.pid))
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
