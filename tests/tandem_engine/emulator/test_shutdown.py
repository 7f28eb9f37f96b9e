import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from tests.tandem_engine.emulator.golden import golden_json, golden_stream, shape, shapes
from tests.tandem_engine.emulator.process import Process
from tests.tandem_engine.emulator.rig import PROMPT, Rig, Stream, rig, until

from tandem_engine.emulator.shutdown import Shutdown

CHAT = [{"role": "user", "content": "hi"}]


class Drain:
    """An emulator that was asked to end."""

    def __init__(self, engine: Rig, timeout_s: float) -> None:
        self.shutdown = Shutdown()
        drained = self.shutdown.drained(engine.emulator, timeout_s)
        self.ended = asyncio.create_task(drained)


async def begun(engine: Rig, timeout_s: float) -> Drain:
    drain = Drain(engine, timeout_s)
    await asyncio.sleep(0)
    drain.shutdown.ask()
    await until(lambda: engine.emulator.is_draining)
    return drain


async def test_what_runs_finishes_and_then_the_engine_may_end() -> None:
    async with rig() as engine:
        running = asyncio.create_task(engine.stream(30))
        await until(lambda: len(engine.emulator.core.engine.batch) == 1)
        drain = await begun(engine, 20)
        assert (await engine.get("/health"))[0] == 200
        assert not drain.ended.done()
        stream = await running
        await asyncio.wait_for(drain.ended, 1)
    assert (len(stream.bodies), stream.reason) == (30, "length")


async def test_an_idle_engine_ends_at_once() -> None:
    async with rig() as engine:
        drain = await begun(engine, 20)
        await asyncio.wait_for(drain.ended, 1)


async def test_kv_that_is_leased_is_waited_for() -> None:
    async with rig() as prefill, rig() as decode:
        handover = await prefill.prefill()
        drain = await begun(prefill, 20)
        await asyncio.sleep(0.1)
        assert not drain.ended.done()
        await decode.complete(kv_transfer_params=handover)
        await asyncio.wait_for(drain.ended, 1)
        assert await decode.value("vllm:nixl_num_failed_transfers_total") == 0


@pytest.mark.parametrize("why", ["a second signal", "the timeout"])
async def test_a_second_signal_or_the_timeout_cuts_what_runs(why: str) -> None:
    async with rig() as engine:
        running = asyncio.create_task(engine.stream(1000, stream_options={"include_usage": True}))
        await until(lambda: len(engine.emulator.core.engine.batch) == 1)
        drain = await begun(engine, 0.2 if why == "the timeout" else 20)
        if why == "a second signal":
            drain.shutdown.ask()
        await asyncio.wait_for(drain.ended, 1)
        engine.emulator.core.abort_all()
        stream = await running
    assert stream.reason == "abort"
    assert stream.events[-1] == "[DONE]"
    assert 0 < stream.bodies[-1]["usage"]["completion_tokens"] < 1000


async def test_a_draining_engine_answers_token_ids_with_an_abort_as_vllm_does() -> None:
    async with rig() as engine:
        busy = asyncio.create_task(engine.complete(max_tokens=60))
        await until(lambda: engine.emulator.core.engine.running == 1)
        await begun(engine, 20)
        whole = await engine.complete()
        leg = await engine.complete(max_tokens=1, kv_transfer_params={"do_remote_decode": True})
        bare = await engine.stream()
        told = await engine.stream(stream_options={"include_usage": True})
        await busy
    assert shape(whole) == shape(golden_json("abort_response.json"))
    assert whole["choices"][0]["finish_reason"] == "abort"
    assert shape(leg) == shape(golden_json("abort_prefill_response.json"))
    assert bare.events == golden_stream("abort_stream_without_usage.txt").events
    assert shapes(told) == shapes(golden_stream("abort_stream.txt"))


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        pytest.param("/v1/completions", {"prompt": "text"}, id="text"),
        pytest.param("/v1/chat/completions", {"messages": CHAT}, id="chat"),
    ],
)
async def test_a_draining_engine_fails_text_as_vllm_does(path: str, asked: Any) -> None:
    async with rig() as engine:
        busy = asyncio.create_task(engine.complete(max_tokens=30))
        await until(lambda: engine.emulator.core.engine.running == 1)
        await begun(engine, 20)
        status, body = await engine.post(path, asked)
        await busy
    assert (status, body) == (500, golden_json("drain_error.json"))


@asynccontextmanager
async def process(folder: Path, *flags: str) -> AsyncIterator[Process]:
    running = await Process.start(folder, *flags)
    try:
        yield running
    finally:
        await running.kill()


async def cut(running: Process, signals: int) -> Stream:
    """A long stream, and what was left of it when signals came."""
    async with aiohttp.ClientSession() as session:
        asked = {"prompt": PROMPT, "max_tokens": 1000, "stream": True}
        events: list[str] = []
        async with session.post(running.url + "/v1/completions", json=asked) as response:
            async for line in response.content:
                if line.startswith(b"data: "):
                    events.append(line.removeprefix(b"data: ").strip().decode())
                if len(events) == 3 and signals:
                    running.signal(signal.SIGTERM)
                    signals -= 1
        return Stream(events, [])


async def test_sigterm_without_a_timeout_cuts_streams_cleanly_and_exits_0(tmp_path: Path) -> None:
    async with process(tmp_path) as running:
        stream = await cut(running, 1)
        assert (stream.reason, stream.events[-1]) == ("abort", "[DONE]")
        assert await running.end() == (0, "")


async def test_sigterm_with_a_timeout_waits_and_a_second_one_does_not(tmp_path: Path) -> None:
    async with process(tmp_path, "--shutdown-timeout", "60") as running:
        asking = asyncio.create_task(cut(running, 1))
        await asyncio.sleep(1.0)
        assert running.is_alive
        running.signal(signal.SIGTERM)
        stream = await asking
        assert len(stream.bodies) > 40  # it ran on for the second between the signals
        assert stream.reason == "abort"
        assert await running.end() == (0, "")


async def test_sigterm_during_the_start_exits_0(tmp_path: Path) -> None:
    async with process(tmp_path, "--cold-start", "60s") as running:
        running.signal(signal.SIGTERM)
        assert await running.end() == (0, "")
