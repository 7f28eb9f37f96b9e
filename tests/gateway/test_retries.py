"""What fails before the first token is tried on another pair; after it, the stream is cut."""

import asyncio
import json
import time

import pytest
from tests.fakes.fake_engine import Act
from tests.fakes.gateway_fleet import fleet

RETRIES = "tandem_gateway_retries_total"
FINISHED = "tandem_gateway_finished_total"
SLO = "tandem_gateway_slo_total"


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
@pytest.mark.parametrize(
    ("engine", "act", "leg", "reason"),
    [
        pytest.param("p0", Act(abort=True), "prefill", "abort", id="prefill drains"),
        pytest.param("p0", Act(no_kv=True), "prefill", "no_kv", id="no hand-over"),
        pytest.param("p0", Act(status=500), "prefill", "5xx", id="prefill 500"),
        pytest.param("p0", Act(status=429), "prefill", "busy", id="prefill busy"),
        pytest.param("p0", Act(reset=True), "prefill", "reset", id="prefill dies"),
        pytest.param("d0", Act(abort=True), "decode", "abort", id="decode drains"),
        pytest.param("d0", Act(status=503), "decode", "5xx", id="decode 503"),
        pytest.param("d0", Act(reset=True), "decode", "reset", id="decode dies"),
    ],
)
async def test_a_leg_that_fails_is_tried_on_another_pair(
    engine: str,
    act: Act,
    leg: str,
    reason: str,
    stream: bool,  # noqa: FBT001
) -> None:
    async with fleet(prefill=2, decode=2) as made:
        made[engine].acts.append(act)
        status, body = await made.ask(stream=stream)
        assert status == 200
        assert body.count(b"z") == 4
        await made.until(made.is_quiet)
        assert await made.metric(RETRIES, leg=leg, reason=reason) == 1
        assert await made.metric(RETRIES) == 1
        assert await made.metric(FINISHED, outcome="ok") == 1
        assert len(made[engine].legs) == 1, "a pod that failed is left alone for a while"
        assert made.fabric == set(), "KV of the try that failed is let go"


async def test_an_error_event_before_the_first_token_is_a_failure_too() -> None:
    async with fleet(decode=2) as made:
        made["d0"].acts.append(Act(error_after=0))
        status, body = await made.stream()
        assert (status, body.count(b"z")) == (200, 4)
        assert await made.metric(RETRIES, leg="decode", reason="error") == 1


async def test_a_pod_that_is_gone_refuses() -> None:
    async with fleet(prefill=2, decode=1) as made:
        made["p0"].url = "http://127.0.0.1:9"  # the discard port: nobody listens
        made.list_pods()
        assert (await made.stream())[0] == 200
        assert await made.metric(RETRIES, leg="prefill", reason="refused") == 1


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
async def test_a_hung_engine_is_given_up_after_its_silence(stream: bool) -> None:  # noqa: FBT001
    async with fleet(decode=2, silence_s=0.5) as made:
        made["d0"].acts.append(Act(hang=True))
        assert (await made.ask(stream=stream))[0] == 200
        assert await made.metric(RETRIES, leg="decode", reason="timeout") == 1


async def test_a_retry_keeps_arrival_and_deadline() -> None:
    async with fleet(prefill=2, ttft_s=0.3) as made:
        made["p0"].acts.append(Act(delay_s=0.4, status=500))
        await made.stream()
        assert await made.metric(SLO, ttft="missed", tpot="met") == 1


async def test_the_only_pod_is_tried_again_after_its_pause() -> None:
    async with fleet() as made:
        made["p0"].acts.append(Act(status=500))
        began_s = time.monotonic()
        assert (await made.ask())[0] == 200
        assert time.monotonic() - began_s > 0.9


async def test_after_the_last_retry_the_user_is_told() -> None:
    async with fleet(prefill=3, retries=2) as made:
        for name in ("p0", "p1", "p2"):
            made[name].acts.append(Act(status=500))
        status, body = await made.ask()
        assert status == 502
        assert (
            "every try failed; the last: prefill leg on p2: 5xx"
            in json.loads(body)["error"]["message"]
        )
        assert await made.metric(RETRIES) == 2
        assert await made.metric(FINISHED, outcome="error") == 1
        assert await made.metric(SLO, ttft="missed", tpot="missed") == 1


@pytest.mark.parametrize(
    ("act", "told"),
    [
        pytest.param(Act(die_after=2, gap_s=0.02), b"the answer broke off", id="dies"),
        pytest.param(Act(error_after=2, gap_s=0.02), b'"dead"', id="error event"),
        pytest.param(Act(stall_after=2), b"the answer broke off", id="silence"),
    ],
)
async def test_a_stream_that_breaks_after_its_first_token_is_cut(act: Act, told: bytes) -> None:
    async with fleet(decode=2, silence_s=0.5 if act.stall_after else 60.0) as made:
        made["d0"].acts.append(act)
        status, body = await made.stream()
        assert (status, body.count(b'"text": "z"')) == (200, 2)
        assert told in body.rsplit(b"data: {", 1)[1]
        assert await made.metric(FINISHED, outcome="cut") == 1
        assert await made.metric(SLO, ttft="met", tpot="missed") == 1
        assert await made.metric(RETRIES) == 0
        assert await made.metric("tandem_gateway_request_lengths_total", output="2") == 1


async def test_a_decode_leg_is_never_sent_after_the_lease() -> None:
    async with fleet(kv_lease_s=30, margin_s=29.7) as made:
        prefilled = asyncio.Event()
        made["p0"].acts.append(Act(gate=prefilled))
        asked = asyncio.create_task(made.stream())
        await made.until(lambda: made["p0"].legs)
        made.list_pods("p0")  # the decode pod goes while the prompt is computed
        prefilled.set()
        await made.until(lambda: made.desk.dispatch.queued_requests)  # the lease is over
        first = set(made.fabric)
        made.list_pods()
        assert (await asked)[0] == 200
        assert len(made["p0"].legs) == 2
        assert [leg.kv_id in first for leg in made["d0"].legs] == [False]
        assert await made.metric(RETRIES, leg="decode", reason="lease") == 1


async def test_a_decode_pod_that_comes_within_the_lease_gets_the_leg() -> None:
    async with fleet(kv_lease_s=3.0, margin_s=0.5) as made:
        prefilled = asyncio.Event()
        made["p0"].acts.append(Act(gate=prefilled))
        asked = asyncio.create_task(made.stream())
        await made.until(lambda: made["p0"].legs)
        made.list_pods("p0")
        prefilled.set()
        await made.until(lambda: made.fabric)
        await asyncio.sleep(0.1)
        made.list_pods()
        assert (await asked)[0] == 200
        assert len(made["p0"].legs) == 1
        assert await made.metric(RETRIES) == 0


async def test_kv_of_another_revision_is_not_sent() -> None:
    async with fleet(decode=2, kv_lease_s=0.4, margin_s=0.3, retries=1) as made:
        prefilled = asyncio.Event()
        made["p0"].acts.append(Act(gate=prefilled))
        made.desk.pods.replace([made["p0"].pod(revision="1"), made["d1"].pod(revision="1")])
        asked = asyncio.create_task(made.ask())
        await made.until(lambda: made["p0"].legs)
        made.desk.pods.replace([made["p0"].pod(revision="1"), made["d0"].pod(revision="2")])
        prefilled.set()
        await made.until(lambda: made["p0"].legs[0].end)
        await asyncio.sleep(0.2)  # past the usable lease
        made.desk.pods.replace([made["p0"].pod(revision="1"), made["d1"].pod(revision="1")])
        assert (await asked)[0] == 200
        assert not made["d0"].legs
        assert await made.metric(RETRIES, reason="lease") == 1
