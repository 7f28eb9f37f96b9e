import asyncio
from time import monotonic

import aiohttp
import pytest
from tests.tandem_engine.emulator.rig import PREFILL_S, PROMPT, STEP_S, profile, rig, until

from tandem.perf.engine_profile import KvCache, PrefillCost

# What the machine may add: it is shared, and a timer of the loop is late, never early by more than
# libuv's millisecond. Lower bounds are the model's own.
EARLY_S = 0.002
LATE_S = 0.2


async def test_the_first_token_comes_after_a_prefill_and_the_others_a_step_apart() -> None:
    async with rig() as engine:
        await engine.complete()  # the client has its connection
        stream = await engine.stream(31)
    first_s, last_s = stream.came_s[0], stream.came_s[30]
    assert PREFILL_S - EARLY_S < first_s < PREFILL_S + LATE_S
    assert 30 * STEP_S - EARLY_S < last_s - PREFILL_S < 30 * STEP_S + LATE_S


async def test_a_prompt_costs_what_its_length_costs() -> None:
    per_token = PrefillCost(a_s=0.0, b_s_per_token=0.0005, c_s_per_token2=0.0)
    async with rig(profile=profile(prefill=per_token)) as engine:
        for tokens in (40, 400):
            await engine.complete([1] * tokens, 1)
        total_s = await engine.value("vllm:request_prefill_time_seconds_sum")
    assert 440 * 0.0005 - EARLY_S < total_s < 440 * 0.0005 + LATE_S


async def test_ten_streams_share_their_iterations() -> None:
    async with rig() as engine:
        begun_s = monotonic()
        streams = await asyncio.gather(*(engine.stream(20) for _ in range(10)))
        took_s = monotonic() - begun_s
        steps = await engine.value("vllm:iteration_tokens_total_count")
    assert all(len(stream.bodies) == 20 for stream in streams)
    assert steps < 2 * 20  # 200 tokens
    assert took_s < 3 * (PREFILL_S + 20 * STEP_S)  # one after the other: ten times as long


async def test_prompts_that_wait_are_prefilled_together() -> None:
    async with rig() as engine:
        await asyncio.gather(*(engine.complete([each], 1) for each in range(8)))
        steps = await engine.value("vllm:iteration_tokens_total_count")
    assert steps <= 3  # the first alone, those that came meanwhile in the next


async def test_what_finds_no_kv_waits_and_is_seen_waiting() -> None:
    small = profile(kv=KvCache(bytes_per_token=2048.0, capacity_tokens=256, block_tokens=128))
    async with rig(profile=small, max_model_len=256) as engine:
        first = asyncio.create_task(engine.complete([1] * 150, 20))
        await until(lambda: engine.emulator.core.engine.running == 1)
        second = asyncio.create_task(engine.complete([2] * 150, 2))
        await until(lambda: len(engine.emulator.core.engine.waiting) == 1)
        assert await engine.value("vllm:num_requests_running") == 1
        assert await engine.value("vllm:num_requests_waiting_by_reason", reason="capacity") == 1
        assert await engine.value("vllm:kv_cache_usage_perc") == 1
        await asyncio.gather(first, second)
        assert await engine.value("vllm:num_requests_waiting") == 0


async def test_a_preempted_request_still_says_all_its_tokens() -> None:
    small = profile(kv=KvCache(bytes_per_token=2048.0, capacity_tokens=384, block_tokens=128))
    prompts = [[each] * 120 for each in (1, 2)]
    async with rig(profile=small, max_model_len=384) as engine:
        alone = [await engine.text(prompt, 20) for prompt in prompts]
        both = await asyncio.gather(*(engine.text(prompt, 20) for prompt in prompts))
        assert await engine.value("vllm:num_preemptions_total") >= 1
        assert await engine.value("vllm:request_num_preemptions_sum") >= 1
        assert await engine.value("vllm:inter_token_latency_seconds_count") == 4 * 19
    assert both == alone


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
async def test_a_client_that_leaves_frees_its_kv(*, stream: bool) -> None:
    asked = {"prompt": PROMPT, "max_tokens": 1000, "stream": stream}
    async with rig() as engine:
        async with aiohttp.ClientSession() as leaving:
            asking = asyncio.create_task(_read(leaving, engine.url, asked))
            await until(lambda: len(engine.emulator.core.engine.batch) == 1)
            asking.cancel()
        await until(lambda: engine.emulator.core.is_idle)
        assert await engine.value("vllm:request_success_total", finished_reason="abort") == 1
        assert await engine.value("vllm:kv_cache_usage_perc") == 0
        assert await engine.text([3], 1)  # it serves on


async def _read(session: aiohttp.ClientSession, url: str, asked: dict[str, object]) -> None:
    async with session.post(url + "/v1/completions", json=asked) as response:
        await response.read()
