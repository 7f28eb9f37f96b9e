import asyncio
from time import monotonic
from typing import Any

import aiohttp
import pytest
from tests.tandem_engine.emulator import virtual_time
from tests.tandem_engine.emulator.rig import PREFILL_S, PROMPT, STEP_S, profile, rig, until

from tandem.perf.engine_profile import KvCache, PrefillCost
from tandem.perf.sequence import Sequence
from tandem_engine.emulator.call import Call
from tandem_engine.emulator.core import Core
from tandem_engine.emulator.counts import Counts

# What the machine may add: it is shared, and a timer of the loop is late, never early by more than
# libuv's millisecond. Lower bounds are the model's own.
EARLY_S = 0.002
LATE_S = 0.2


class Heard:
    """An answer that notes when its tokens came, and a pull that notes what it was told."""

    def __init__(self) -> None:
        self.tokens_s: list[float] = []
        self.reason = ""
        self.told: list[str] = []

    def token(self) -> None:
        self.tokens_s.append(round(asyncio.get_running_loop().time(), 6))

    def end(self, reason: str) -> None:
        self.reason = reason

    def admitted(self) -> None:
        self.told.append("admitted")

    def abandon(self) -> None:
        self.told.append("abandon")


def core(**changes: Any) -> Core:
    clock = asyncio.get_running_loop().time
    return Core(profile(**changes), 30, Counts(2048), clock)


def call(key: str, tokens: int, *, prompt: int = 60, remote: bool = False) -> tuple[Call, Heard]:
    heard = Heard()
    sequence = Sequence(key=key, input_tokens=prompt, output_tokens=tokens, remote_kv=remote)
    pull = heard if remote else None
    return Call(sequence=sequence, answer=heard, arrived_s=0.0, pull=pull), heard


def test_tokens_come_when_the_profile_says() -> None:
    async def scenario() -> None:
        running = core()
        request, heard = call("a", 4)
        running.submit(request)
        await asyncio.sleep(1)
        assert heard.tokens_s == [0.04, 0.05, 0.06, 0.07]
        assert heard.reason == "length"
        assert running.is_idle

    virtual_time.run(scenario())


def test_late_timers_do_not_add_up() -> None:
    async def scenario() -> None:
        request, heard = call("a", 101)
        core().submit(request)
        await asyncio.sleep(5)
        behind_s = [came_s - (0.04 + 0.01 * place) for place, came_s in enumerate(heard.tokens_s)]
        assert max(behind_s) < 0.0031
        assert len(behind_s) == 101

    virtual_time.run(scenario(), late_s=0.003)


def test_a_process_that_stood_still_catches_up_for_no_longer_than_a_second() -> None:
    async def scenario() -> None:
        request, heard = call("a", 1000)
        core().submit(request)
        await asyncio.sleep(0.5)
        before = len(heard.tokens_s)
        loop = asyncio.get_running_loop()
        assert isinstance(loop, virtual_time.VirtualTimeLoop)
        loop.selector.now_s += 60
        await asyncio.sleep(0.001)
        assert 100 <= len(heard.tokens_s) - before <= 103  # 1 s of 10 ms steps

    virtual_time.run(scenario())


def test_the_schedule_starts_anew_after_a_pause() -> None:
    async def scenario() -> None:
        running = core()
        first, _ = call("a", 1)
        running.submit(first)
        await asyncio.sleep(7)
        second, heard = call("b", 2)
        running.submit(second)
        await asyncio.sleep(1)
        assert heard.tokens_s == [7.04, 7.05]

    virtual_time.run(scenario())


def test_kv_from_a_peer_is_admitted_in_the_same_step_as_the_prompt_before_it() -> None:
    async def scenario() -> None:
        running = core()
        busy, _ = call("busy", 1)
        local, _ = call("a", 9)
        remote, heard = call("b", 2, remote=True)
        for each in (busy, local, remote):
            running.submit(each)
        await asyncio.sleep(0.041)  # one step, and the next has begun
        assert heard.told == ["admitted"]
        running.loaded(remote)
        await asyncio.sleep(1)
        assert heard.tokens_s == [0.09, 0.1]

    virtual_time.run(scenario())


def test_a_prompt_whose_kv_never_comes_is_computed_before_those_that_wait() -> None:
    async def scenario() -> None:
        running = core(kv=KvCache(bytes_per_token=1.0, capacity_tokens=128, block_tokens=128))
        remote, heard = call("a", 1, remote=True)
        waiting, heard_later = call("b", 1)
        running.submit(remote)
        running.submit(waiting)
        running.recompute(remote)
        await asyncio.sleep(1)
        assert (heard.tokens_s, heard_later.tokens_s) == ([0.04], [0.08])

    virtual_time.run(scenario())


def test_a_prompt_whose_kv_never_comes_keeps_its_place_while_it_waits() -> None:
    async def scenario() -> None:
        running = core(kv=KvCache(bytes_per_token=1.0, capacity_tokens=128, block_tokens=128))
        busy, _ = call("busy", 3)
        remote, heard = call("a", 1, remote=True)
        waiting, heard_later = call("b", 1)
        for each in (busy, remote, waiting):
            running.submit(each)
        running.recompute(remote)
        await asyncio.sleep(1)
        assert heard.told == []
        assert (heard.tokens_s, heard_later.tokens_s) == ([0.1], [0.14])

    virtual_time.run(scenario())


def test_a_request_aborted_within_a_step_hears_nothing_of_it() -> None:
    async def scenario() -> None:
        running = core()
        request, heard = call("a", 9)
        other, heard_other = call("b", 3)
        running.submit(request)
        running.submit(other)
        await asyncio.sleep(0.055)
        running.abort("a")
        running.abort("a")  # a second time is none
        await asyncio.sleep(1)
        assert (len(heard.tokens_s), heard.reason) == (1, "abort")
        assert (len(heard_other.tokens_s), heard_other.reason) == (3, "length")
        assert running.counts.finished == dict.fromkeys(running.counts.finished, 0) | {
            "abort": 1,
            "length": 1,
        }

    virtual_time.run(scenario())


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
