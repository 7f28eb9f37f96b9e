"""The gateway as its own process: start, SIGTERM, and mistakes in one line."""

import asyncio
import re
import signal
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
from tests.fakes.fake_engine import Act, FakeEngine, running

from tandem.api.role import Role
from tandem.cluster import registry

PROFILE = ("--profile", "h200-llama-3.1-8b-fp8-tp1")
ASK = {"model": "tiny", "prompt": "hi", "max_tokens": 12, "stream": True}


async def started(*flags: str) -> Process:
    command = [sys.executable, "-m", "tandem.gateway", *flags]
    return await asyncio.create_subprocess_exec(*command, stderr=PIPE)


async def ended(*flags: str) -> tuple[int, str]:
    process = await started(*flags)
    _, said = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode is not None
    return process.returncode, said.decode()


async def test_a_mistake_is_one_line_and_exit_2(tmp_path: Path) -> None:
    code, said = await ended("--registry", str(tmp_path / "pods.json"), *PROFILE, "--ttft", "2")
    assert code == 2
    assert said == (
        "error: --ttft: '2' is not allowed: a duration such as 500ms, 2s, 1m30s or 1h\n"
    )


async def test_a_port_in_use_is_one_line_and_exit_1(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        flags = ("--registry", str(tmp_path / "pods.json"), *PROFILE, "--port", str(port))
        code, said = await ended(*flags)
    assert code == 1
    assert said == f"error: --port: 127.0.0.1:{port}: Address already in use\n"


@asynccontextmanager
async def gateway(
    folder: Path, *decode: Act, flags: Sequence[str] = ()
) -> AsyncIterator[tuple[str, Process]]:
    """A gateway process in front of two fake engines."""
    fabric: set[str] = set()
    p0 = FakeEngine("p0", Role.PREFILL, fabric)
    d0 = FakeEngine("d0", Role.DECODE, fabric)
    d0.acts.extend(decode)
    pods = folder / "pods.json"
    async with running(p0), running(d0):
        registry.write(pods, [p0.pod(), d0.pod()])
        process = await started("--registry", str(pods), "--port", "0", *PROFILE, *flags)
        assert process.stderr is not None
        while not (found := re.search(rb"http://\S+", await process.stderr.readline())):
            assert process.returncode is None
        try:
            yield found[0].decode(), process
        finally:
            if process.returncode is None:
                process.kill()
            await process.communicate()


async def test_sigterm_lets_streams_finish_and_exits_0(tmp_path: Path) -> None:
    async with gateway(tmp_path, Act(gap_s=0.1)) as (url, process), aiohttp.ClientSession() as user:
        async with user.post(f"{url}/v1/completions", json=ASK) as answer:
            body = await answer.content.readany()
            process.send_signal(signal.SIGTERM)
            await asyncio.sleep(0.2)
            async with user.post(f"{url}/v1/completions", json=ASK) as refused:
                assert refused.status == 503
            body += await answer.read()
        assert body.count(b'"text": "z"') == 12
        assert await asyncio.wait_for(process.wait(), 5) == 0


async def test_after_its_time_to_drain_users_are_told_so(tmp_path: Path) -> None:
    acts = (Act(gap_s=30), Act(delay_s=30))
    async with (
        gateway(tmp_path, *acts, flags=("--drain", "200ms")) as (url, process),
        aiohttp.ClientSession() as user,
    ):

        async def whole() -> tuple[int, bytes]:
            asked = {**ASK, "stream": False}
            async with user.post(f"{url}/v1/completions", json=asked) as answer:
                return answer.status, await answer.read()

        async with user.post(f"{url}/v1/completions", json=ASK) as streaming:
            waiting = asyncio.create_task(whole())  # comes second: the stream has its head
            await asyncio.sleep(0.3)
            process.send_signal(signal.SIGTERM)
            stream = await streaming.read()
        refused, said = await waiting
        assert (streaming.status, refused) == (200, 503)
        assert b"the gateway is shutting down" in stream
        assert b"the gateway is shutting down" in said
        assert await asyncio.wait_for(process.wait(), 5) == 0
