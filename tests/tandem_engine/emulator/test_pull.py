import asyncio
from contextlib import AsyncExitStack
from time import monotonic

import aiohttp
from tests.tandem_engine.emulator.rig import (
    PROMPT,
    Body,
    Rig,
    profile,
    rig,
    slow_link,
    until,
)

from tandem.perf.engine_profile import KvCache

LATE_S = 0.3  # what a machine that is shared may add


async def pulled(decode: Rig) -> float:
    return await decode.value("vllm:prompt_tokens_by_source_total", source="external_kv_transfer")


async def computed(engine: Rig) -> float:
    return await engine.value("vllm:prompt_tokens_by_source_total", source="local_compute")


async def test_a_pair_says_what_one_engine_says_without_computing_the_prompt_twice() -> None:
    async with rig() as prefill, rig() as decode:
        alone = await prefill.text(max_tokens=6)
        handover = await prefill.prefill()
        paired = await decode.stream(6, kv_transfer_params=handover)
        assert paired.text == alone
        assert await pulled(decode) == len(PROMPT)
        assert await computed(decode) == 0
        assert await decode.value("vllm:nixl_xfer_time_seconds_count") == 1
        assert await decode.value("vllm:nixl_bytes_transferred_sum") == 128 * 2048


async def test_roles_may_be_reversed() -> None:
    async with rig() as one, rig() as other:
        alone = await one.text()
        assert await one.text(kv_transfer_params=await other.prefill()) == alone
        assert await other.text(kv_transfer_params=await one.prefill()) == alone


async def test_kv_stays_pinned_until_it_is_pulled_which_takes_the_links_time() -> None:
    async with rig() as prefill, rig(profile=slow_link(0.5)) as decode:
        handover = await prefill.prefill()
        assert await prefill.value("vllm:kv_cache_usage_perc") == 1 / 128
        begun_s = monotonic()
        asking = asyncio.create_task(decode.complete(max_tokens=1, kv_transfer_params=handover))
        await until(lambda: len(decode.emulator.pulls.link) == 1)
        assert await decode.value("vllm:num_requests_kv_fetch_by_stage", stage="in_progress") == 1
        assert await decode.value("vllm:num_requests_waiting_by_reason", reason="deferred") == 1
        assert await decode.value("vllm:num_requests_running") == 0
        assert (prefill.pinned, len(decode.emulator.pulls.link)) == (1, 1)
        await asking
        assert 0.5 < monotonic() - begun_s < 0.5 + LATE_S
        assert await prefill.value("vllm:kv_cache_usage_perc") == 0
        assert await prefill.value("vllm:nixl_num_kv_expired_reqs_total") == 0


async def test_two_transfers_share_the_link() -> None:
    async with rig() as prefill, rig(profile=slow_link(0.1)) as decode:
        handovers = [await prefill.prefill(), await prefill.prefill()]
        begun_s = monotonic()
        await asyncio.gather(
            *(decode.complete(max_tokens=1, kv_transfer_params=each) for each in handovers)
        )
        assert 0.2 < monotonic() - begun_s < 0.2 + LATE_S


async def test_a_transfer_longer_than_the_lease_is_held_by_heartbeats() -> None:
    async with rig() as prefill, rig(profile=slow_link(2.3)) as decode:
        prefill.emulator.core.leases._lease_s = 2  # NIXL's least, 6 s, would take the test 7 s
        decode.emulator.pulls.beat_s = 0.3
        handover = await prefill.prefill()
        await decode.complete(max_tokens=1, kv_transfer_params=handover)
        assert await pulled(decode) == len(PROMPT)
        assert await prefill.value("vllm:nixl_num_kv_expired_reqs_total") == 0


async def test_kv_past_its_lease_is_counted_and_the_prompt_computed_anew() -> None:
    async with rig() as prefill, rig() as decode:
        prefill.emulator.core.leases._lease_s = 0
        alone = await decode.text()
        handover = await prefill.prefill()
        await until(lambda: prefill.pinned == 0)
        late = await decode.text(kv_transfer_params=handover)
        assert late == alone
        assert await pulled(decode) == 0
        assert await decode.value("vllm:nixl_num_failed_transfers_total") == 1
        assert await prefill.value("vllm:nixl_num_kv_expired_reqs_total") == 1
        assert await prefill.value("vllm:nixl_num_notifications_after_expiry_total") == 1
        offered = await decode.value("vllm:prompt_tokens_cached_by_source_total", source="p2p")
        assert offered == len(PROMPT)  # a failed load counts too, as vLLM counts it


async def test_a_peer_that_went_between_the_legs_costs_a_prefill_and_no_answer() -> None:
    async with AsyncExitStack() as stack, rig() as decode:
        prefill = await stack.enter_async_context(rig())
        alone = await prefill.text()
        handover = await prefill.prefill()
        await stack.aclose()
        assert await decode.text(kv_transfer_params=handover) == alone
        assert await computed(decode) == len(PROMPT)
        assert await decode.value("vllm:nixl_num_failed_transfers_total") == 1


async def test_a_peer_that_goes_while_it_is_pulled_from_costs_a_prefill_and_no_answer() -> None:
    async with AsyncExitStack() as stack, rig(profile=slow_link(0.3)) as decode:
        prefill = await stack.enter_async_context(rig())
        alone = await prefill.text()
        handover = await prefill.prefill()
        asking = asyncio.create_task(decode.text(kv_transfer_params=handover))
        await until(lambda: len(decode.emulator.pulls.link) == 1)
        await stack.aclose()
        assert await asking == alone
        assert await computed(decode) == len(PROMPT)


async def test_an_engine_that_stands_where_the_peer_stood_holds_none_of_its_kv() -> None:
    async with rig() as prefill, rig() as decode:
        handover = await prefill.prefill() | {"remote_engine_id": "another"}
        await decode.complete(kv_transfer_params=handover)
        assert await computed(decode) == len(PROMPT)
        assert prefill.pinned == 1


async def test_a_hand_over_that_names_nothing_is_computed_here() -> None:
    async with rig() as decode:
        await decode.complete(kv_transfer_params={"do_remote_prefill": True})
        assert await computed(decode) == len(PROMPT)


async def test_a_decode_leg_that_is_dropped_frees_the_peers_kv() -> None:
    async with rig() as prefill, rig(profile=slow_link(5.0)) as decode:
        handover = await prefill.prefill()
        asked: Body = {"prompt": PROMPT, "kv_transfer_params": handover}
        async with aiohttp.ClientSession() as leaving:
            asking = asyncio.create_task(leaving.post(decode.url + "/v1/completions", json=asked))
            await until(lambda: len(decode.emulator.pulls.link) == 1)
            asking.cancel()
        await until(lambda: prefill.pinned == 0)
        assert len(decode.emulator.pulls.link) == 0
        assert decode.emulator.core.is_idle


async def test_a_decode_leg_waits_for_blocks_before_it_pulls() -> None:
    small = profile(kv=KvCache(bytes_per_token=2048.0, capacity_tokens=256, block_tokens=128))
    async with rig() as prefill, rig(profile=small, max_model_len=256) as decode:
        filling = asyncio.create_task(decode.complete([5] * 150, 30))
        await until(lambda: decode.emulator.core.engine.running == 1)
        handover = await prefill.prefill([4] * 150)
        asking = asyncio.create_task(decode.complete([4] * 150, 2, kv_transfer_params=handover))
        await until(lambda: len(decode.emulator.core.engine.waiting) == 1)
        stage = await decode.value("vllm:num_requests_kv_fetch_by_stage", stage="waiting_to_start")
        assert (stage, prefill.pinned) == (1, 1)
        await asyncio.gather(filling, asking)
        assert await pulled(decode) == 150
