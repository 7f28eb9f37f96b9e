"""Tokens that one emulator process streams per second of its CPU time, at 50 streams.

Told as CPU per token, and as a ratio to a bare loop: a process that writes the same bytes to as
many sockets at the same pace and does nothing else. CPU time, not wall time: other work on the
machine does not count.

    .venv/bin/python benchmarks/engine/emulator_tokens.py [--profile-to FILE]
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import uvloop

STREAMS = 50
TOKENS = 1_000  # a stream
STEP_S = 0.010
HOST = "127.0.0.1"
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
PROFILE = {
    "name": "flat",
    "model": "flat",
    "accelerator": "none",
    "accelerators": 1,
    "prefill": {"a_s": 0.001, "b_s_per_token": 0.0, "c_s_per_token2": 0.0},
    "decode": {"alpha_s": STEP_S, "beta_s_per_sequence": 0.0, "gamma_s_per_token": 0.0},
    "kv": {"bytes_per_token": 1, "capacity_tokens": 1_000_000},
    "transfer": {"latency_s": 0.001, "bandwidth_bytes_per_s": 1e9},
}
REQUEST = json.dumps({"model": "flat", "prompt": [1], "max_tokens": TOKENS, "stream": True})
EVENT = b'data: {"id":"cmpl-%s","object":"text_completion","created":1795192501,"model":"flat",' % (
    b"0" * 32
) + (
    b'"choices":[{"index":0,"text":" gig","logprobs":null,"finish_reason":null,'
    b'"stop_reason":null,"prompt_token_ids":null,"token_ids":null}]}\n\n'
)
# A bare loop, in a process of its own.
BARE = """
import asyncio, sys, uvloop
event = sys.stdin.buffer.read()
async def main(streams, tokens, step_s):
    writers = []
    server = await asyncio.start_server(lambda _, writer: writers.append(writer), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    while len(writers) < streams:
        await asyncio.sleep(step_s)
    for _ in range(tokens):
        for writer in writers:
            writer.write(event)
        await asyncio.sleep(step_s)
    for writer in writers:
        writer.close()
    await asyncio.sleep(60)
uvloop.run(main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
"""


class Client(asyncio.Protocol):
    """Asks once and counts the events that come."""

    def __init__(self, ask: bytes) -> None:
        self.ask = ask
        self.events = 0
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask."""
        if self.ask:
            transport.write(self.ask)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        """Count."""
        self.events += data.count(b"data: ")

    def connection_lost(self, _: Exception | None) -> None:
        """Let the caller go on."""
        self.ended.set_result(None)


def cpu_s(pid: int) -> float:
    """CPU seconds that a process has used, in user and kernel mode."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


async def streamed(port: int, ask: bytes, pid: int) -> tuple[int, float, float]:
    """Events of all streams, the CPU seconds of their server, and the wall seconds."""
    loop = asyncio.get_running_loop()
    before_s, begun_s = cpu_s(pid), time.monotonic()
    clients = [
        (await loop.create_connection(lambda: Client(ask), HOST, port))[1] for _ in range(STREAMS)
    ]
    await asyncio.gather(*(client.ended for client in clients))
    events = sum(client.events for client in clients)
    return events, cpu_s(pid) - before_s, time.monotonic() - begun_s


def bare() -> tuple[int, float, float]:
    """The bare loop's figures."""
    words = [sys.executable, "-c", BARE, str(STREAMS), str(TOKENS), str(STEP_S)]
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(EVENT)
    process.stdin.close()
    try:
        return uvloop.run(streamed(int(process.stdout.readline()), b"", process.pid))
    finally:
        process.kill()
        process.wait()


def emulator(profile_to: Path | None) -> tuple[int, float, float]:
    """The emulator's figures."""
    port = 18_790
    script = "from tandem_engine.cli import main; main()"
    words = [sys.executable, "-c", script]
    if profile_to is not None:
        run = f"import cProfile; cProfile.run({script!r}, {str(profile_to)!r})"
        words = [sys.executable, "-c", run]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "flat.json"
        file.write_text(json.dumps(PROFILE))
        words += ["emulate", "--profile", str(file), "--port", str(port)]
        process = subprocess.Popen([*words, "--cold-start", "0s"])
        try:
            ask = (
                f"POST /v1/completions HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(REQUEST)}\r\n\r\n{REQUEST}"
            )
            return uvloop.run(_when_up(port, ask.encode(), process.pid))
        finally:
            process.terminate()
            process.wait()


async def _when_up(port: int, ask: bytes, pid: int) -> tuple[int, float, float]:
    for _ in range(200):
        try:
            _, writer = await asyncio.open_connection(HOST, port)
        except OSError:
            await asyncio.sleep(0.05)
        else:
            writer.close()
            return await streamed(port, ask, pid)
    raise TimeoutError(f"nothing listens on {port}")


def main() -> None:
    """Print both figures and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profile-to", type=Path, help="write a cProfile of the emulator here")
    flags = parser.parse_args()
    cost_us = {}
    figures = {"bare loop": bare(), "emulator": emulator(flags.profile_to)}
    for name, (events, used_s, wall_s) in figures.items():
        cost_us[name] = used_s / events * 1e6
        print(
            f"{name:10} {events:6} events in {wall_s:5.2f} s, {used_s:5.2f} s of CPU: "
            f"{cost_us[name]:5.1f} us each, {events / used_s:8.0f} per CPU-second"
        )
    print(f"emulator / bare loop: {cost_us['emulator'] / cost_us['bare loop']:.2f}")


if __name__ == "__main__":
    main()
