"""The gateway in front of emulated engines: vLLM's API and rules, with a profile's time."""

import asyncio
import json
import signal
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
from tests.fakes.gateway_fleet import PROFILE, Fleet, fleet

from tandem.api.role import Role
from tandem.cluster import series
from tandem.cluster.exposition import samples
from tandem.cluster.local.addresses import free_port
from tandem.cluster.pod import Pod, PodPhase

PROGRAM = str(Path(sys.executable).with_name("tandem-engine"))
START_S = 30.0


@asynccontextmanager
async def emulator(name: str, role: Role) -> AsyncIterator[tuple[Pod, Process]]:
    """One emulated engine as its own process."""
    url = f"http://127.0.0.1:{(port := free_port())}"
    flags = {
        "--port": port,
        "--side-channel-port": free_port(),
        "--profile": PROFILE.name,
        "--model": "tiny",
        "--cold-start": "0ms",
        "--shutdown-timeout": 5,
    }
    words = [str(word) for flag in flags.items() for word in flag]
    process = await asyncio.create_subprocess_exec(
        PROGRAM, "emulate", *words, stdout=DEVNULL, stderr=DEVNULL
    )
    try:
        await _healthy(url)
        yield Pod(name=name, role=role, phase=PodPhase.READY, url=url), process
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _healthy(url: str) -> None:
    async with asyncio.timeout(START_S), aiohttp.ClientSession() as http:
        while True:
            with suppress(aiohttp.ClientError):
                async with http.get(f"{url}/health") as answer:
                    if answer.status == 200:
                        return
            await asyncio.sleep(0.05)


@asynccontextmanager
async def emulated(
    *pods: tuple[str, Role],
) -> AsyncIterator[tuple[Fleet, dict[str, tuple[Pod, Process]]]]:
    """A gateway in front of emulated engines."""
    async with AsyncExitStack() as stack:
        started = await asyncio.gather(
            *(stack.enter_async_context(emulator(name, role)) for name, role in pods)
        )
        made = await stack.enter_async_context(fleet(prefill=0, decode=0))
        made.desk.pods.replace([pod for pod, _ in started])
        yield made, {pod.name: (pod, process) for pod, process in started}


async def exported(url: str, name: str, **labels: str) -> float:
    async with aiohttp.ClientSession() as http, http.get(f"{url}/metrics") as answer:
        found = samples(await answer.text(), [name])
    return sum(x.value for x in found if labels.items() <= x.labels.items())


def text(body: bytes) -> str:
    """What a stream or a whole answer says."""
    if not body.startswith(b"data:"):
        return str(json.loads(body)["choices"][0]["text"])
    events = [x.removeprefix(b"data: ") for x in body.split(b"\n\n") if x.startswith(b"data: {")]
    return "".join(choice["text"] for event in events for choice in json.loads(event)["choices"])


async def test_a_pair_says_what_one_engine_says_and_decode_computes_no_prompt() -> None:
    async with emulated(("p0", Role.PREFILL), ("d0", Role.DECODE)) as (made, engines):
        asks: list[dict[str, Any]] = [
            {"prompt": list(range(5, 5 + length)), "max_tokens": 12, "stream": length % 2 == 0}
            for length in (1, 15, 16, 17, 200, 1000)
        ]
        answers = await asyncio.gather(*(made.ask(**asked) for asked in asks))
        assert {status for status, _ in answers} == {200}
        p0, d0 = engines["p0"][0].url, engines["d0"][0].url
        names = series.VLLM
        source = names.prompt_tokens_by_source
        tokens = sum(len(asked["prompt"]) for asked in asks)
        assert await exported(d0, source, source="external_kv_transfer") == tokens
        assert await exported(d0, source) == tokens
        assert await exported(p0, names.kv_usage) == 0
        assert await exported(p0, names.kv_expired) == 0
        for asked, (_, body) in zip(asks, answers, strict=True):
            alone = {**asked, "model": "tiny", "stream": False}
            async with made.user.post(f"{p0}/v1/completions", json=alone) as answer:
                assert text(await answer.read()) == text(body)


async def test_a_draining_engine_s_aborts_reach_no_user() -> None:
    pods = (("p0", Role.PREFILL), ("d0", Role.DECODE), ("d1", Role.DECODE))
    async with emulated(*pods) as (made, engines):
        asked = [
            asyncio.create_task(made.ask(prompt=[7, 8, 9], max_tokens=100, stream=True))
            for _ in range(6)
        ]
        await made.until(lambda: made.desk.dispatch.loads(Role.DECODE)[0].tokens)
        engines["d0"][1].send_signal(signal.SIGTERM)
        await asyncio.sleep(0.2)
        asked += [asyncio.create_task(made.ask(max_tokens=5, stream=True)) for _ in range(6)]
        for status, body in await asyncio.gather(*asked):
            assert status == 200
            assert b"abort" not in body
            assert b'"length"' in body
        assert await made.metric(series.FINISHED, outcome="ok") == 12
        assert await made.metric(series.RETRIES, leg="decode") >= 1


async def test_kv_of_users_who_left_is_let_go() -> None:
    async with emulated(("p0", Role.PREFILL), ("d0", Role.DECODE)) as (made, engines):
        prefill, decode = (engines[name][0] for name in ("p0", "d0"))
        asked = asyncio.create_task(made.ask(prompt=list(range(20_000)), stream=True))
        await made.until(lambda: made.desk.dispatch.loads(Role.PREFILL)[0].tokens)
        made.desk.pods.replace([prefill])
        await made.until(lambda: made.desk.dispatch.loads(Role.PREFILL)[0].pinned)
        assert await exported(prefill.url, series.VLLM.kv_usage) > 0
        asked.cancel()
        await asyncio.sleep(0.05)
        made.desk.pods.replace([prefill, decode])
        await made.until(made.is_quiet)
        async with asyncio.timeout(5):
            while await exported(prefill.url, series.VLLM.kv_usage):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        assert await made.metric(series.RELEASES, outcome="released") == 1
