"""Requests that go well, through real sockets and a fake engine."""

import asyncio
import json
from pathlib import Path

import pytest
from tests.fakes.fake_engine import Act
from tests.fakes.gateway_fleet import ASK, fleet

from tandem.api.role import Role

GOLDEN = Path(__file__).parents[1] / "golden" / "vllm"
SLO = "tandem_gateway_slo_total"
LENGTHS = "tandem_gateway_request_lengths_total"
PROMPTS = "tandem_gateway_prompts_total"


@pytest.mark.parametrize("name", ["decode_stream.txt", "chat_stream.txt"])
async def test_a_stream_passes_unchanged_however_it_is_cut_into_reads(name: str) -> None:
    recorded = (GOLDEN / name).read_bytes()
    tokens = "17" if name == "decode_stream.txt" else "8"  # representatives of 16 and 8
    async with fleet() as made:
        for width in (len(recorded), 1000, 300, 77):
            reads = [recorded[at : at + width] for at in range(0, len(recorded), width)]
            made["d0"].acts.append(Act(reads=tuple(reads)))
            assert await made.stream() == (200, recorded)
        assert await made.metric(LENGTHS, input="318", cached="0", output=tokens) == 4
        assert await made.metric(PROMPTS, input="318", cached="0") == 4
        assert await made.metric("tandem_gateway_time_per_output_token_seconds_count") == 4


async def test_both_legs_carry_the_request_its_id_and_the_whole_handover() -> None:
    async with fleet() as made:
        headers = {"X-Request-Id": "mine", "traceparent": "00-1-2-01", "Authorization": "Bearer x"}
        status, body = await made.ask(headers=headers, temperature=0.5, stream=False)
        assert status == 200
        assert json.loads(body)["choices"][0]["text"] == "zzzz"
        prefill, decode = made["p0"].legs[0], made["d0"].legs[0]
        for leg in (prefill, decode):
            assert leg.path == "/v1/completions"
            assert {key: leg.headers[key] for key in headers} == headers
            assert leg.body["temperature"] == 0.5
        assert (prefill.body["max_tokens"], prefill.body["stream"]) == (1, False)
        assert decode.body == {
            **ASK,
            "temperature": 0.5,
            "stream": False,
            "kv_transfer_params": {
                "remote_request_id": decode.kv_id,
                "do_remote_prefill": True,
                "unknown": [[3, 4]],
            },
        }
        assert made.fabric == set()
        await made.until(made.is_quiet)
        assert len(made["d0"].legs) == 1, "nothing is let go that was fetched"


async def test_a_chat_is_answered_in_one_piece() -> None:
    async with fleet() as made:
        status, body = await made.ask(
            "/v1/chat/completions",
            prompt=None,
            messages=[{"role": "user", "content": "hi"}],
            max_completion_tokens=3,
        )
        assert status == 200
        assert json.loads(body)["usage"]["completion_tokens"] == 4
        prefill = made["p0"].legs[0].body
        assert (prefill["max_tokens"], prefill["max_completion_tokens"]) == (1, 1)
        assert await made.metric("tandem_gateway_finished_total", outcome="ok") == 1
        assert await made.metric(SLO, ttft="met", tpot="met") == 1


async def test_an_answer_without_a_request_id_gets_one() -> None:
    async with fleet() as made, made.user.post(made.url + "/v1/completions", json=ASK) as answer:
        given = answer.headers["X-Request-Id"]
        assert given
        assert {leg.headers["X-Request-Id"] for leg in made["p0"].legs} == {given}


async def test_a_hundred_streams_at_once_all_get_their_own() -> None:
    async with fleet(prefill=2, decode=3) as made:
        for name in ("d0", "d1", "d2"):
            made[name].acts.extend(Act(gap_s=0.001) for _ in range(100))
        answers = await asyncio.gather(
            *(made.stream(max_tokens=1 + number % 7) for number in range(100))
        )
        for number, (status, body) in enumerate(answers):
            assert status == 200
            assert body.count(b'"text": "z"') == 1 + number % 7
        assert await made.metric("tandem_gateway_finished_total", outcome="ok") == 100
        assert await made.metric(SLO) == 100
        assert await made.metric("tandem_gateway_queue_seconds_count") == 100
        counts = [await made.metric(LENGTHS, output=str(tokens)) for tokens in range(1, 8)]
        assert counts == [15, 15, 14, 14, 14, 14, 14]
        assert made.fabric == set()
        assert min(len(made[name].legs) for name in ("d0", "d1", "d2")) > 10, (
            "all decode pods share"
        )


async def test_tokens_between_come_slow_and_miss_their_target() -> None:
    async with fleet(tpot_s=0.021, ttft_s=0.55) as made:
        made["d0"].acts.append(Act(gap_s=0.04))
        made["p0"].acts.extend([Act(), Act(delay_s=0.6)])
        await made.stream(max_tokens=5)
        await made.stream(max_tokens=1)
        assert await made.metric(SLO, ttft="met", tpot="missed") == 1
        assert await made.metric(SLO, ttft="missed", tpot="met") == 1
        within = "tandem_gateway_time_per_output_token_seconds_bucket"
        assert await made.metric(within, le="0.021") == 0
        assert await made.metric(within, le="+Inf") == 1, "one token has no time between"
        assert await made.metric("tandem_gateway_inter_token_latency_seconds_count") == 4
        late = "tandem_gateway_time_to_first_token_seconds_bucket"
        assert await made.metric(late, le="0.55") == 1, "the target is an edge"
        assert await made.metric(late, le="60.0") == 2
        busy_s = await made.metric("tandem_gateway_prefill_busy_seconds_total", target_pod="p0")
        assert 0.6 <= busy_s < 3


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
async def test_kv_that_was_fetched_is_no_longer_pinned(stream: bool) -> None:  # noqa: FBT001
    async with fleet() as made:
        ended = asyncio.Event()
        made["d0"].acts.append(Act(stall_after=1) if stream else Act(gate=ended))
        asked = asyncio.create_task(made.ask(stream=stream))
        await made.until(lambda: made["d0"].legs)
        load = made.desk.dispatch.loads(Role.PREFILL)[0]
        await made.until(lambda: not load.pinned)
        assert await made.metric("tandem_gateway_pinned_requests", target_pod="p0") == 0
        assert await made.metric("tandem_gateway_in_flight_requests", target_pod="d0") == 1
        ended.set()
        if stream:
            asked.cancel()
        await asyncio.wait([asked])


async def test_a_chat_s_first_event_is_no_token() -> None:
    events = (GOLDEN / "chat_stream.txt").read_bytes().split(b"\n\n")
    without_usage = b"\n\n".join(event for event in events if b"usage" not in event)
    async with fleet() as made:
        made["d0"].acts.append(Act(reads=(without_usage,)))
        assert await made.stream() == (200, without_usage)
        assert await made.metric(LENGTHS, output="8") == 1


async def test_the_last_events_of_a_stream_are_no_tokens() -> None:
    async with fleet() as made:
        made["d0"].acts.append(Act(gap_s=0.02))
        await made.stream(max_tokens=6, stream_options={"include_usage": True})
        assert await made.metric(LENGTHS, output="6") == 1
        assert await made.metric("tandem_gateway_inter_token_latency_seconds_count") == 5
        assert "stream_options" not in made["p0"].legs[0].body
        assert made["d0"].legs[0].body["stream_options"] == {"include_usage": True}


async def test_in_flight_and_queue_are_seen_while_they_last() -> None:
    async with fleet() as made:
        prefilled = asyncio.Event()
        made["p0"].acts.append(Act(gate=prefilled))
        asked = [asyncio.create_task(made.ask()) for _ in range(3)]
        await made.until(lambda: made["p0"].legs and made.desk.dispatch.queued_requests == 2)
        in_flight = "tandem_gateway_in_flight_requests"
        assert await made.metric(in_flight, role="prefill", target_pod="p0") == 1
        assert await made.metric("tandem_gateway_queued_requests") == 2
        assert await made.metric("tandem_gateway_queued_tokens") == 2 * 3
        busy_s = await made.metric("tandem_gateway_prefill_busy_seconds_total", target_pod="p0")
        assert busy_s > 0, "a leg that is still out counts already"
        prefilled.set()
        await asyncio.gather(*asked)
        assert await made.metric("tandem_gateway_arrivals_total") == 3


async def test_the_lengths_of_texts_are_learnt_from_answers() -> None:
    async with fleet() as made:
        for _ in range(40):
            await made.ask(prompt="x" * 652)  # the fake engine counts 326 tokens
        prefilled = asyncio.Event()
        made["p0"].acts.append(Act(gate=prefilled))
        asked = [asyncio.create_task(made.ask(prompt="x" * 1000)) for _ in range(2)]
        await made.until(lambda: made.desk.dispatch.queued_requests)
        assert made.desk.dispatch.queued_tokens == pytest.approx(500, rel=0.05)
        prefilled.set()
        await asyncio.gather(*asked)
