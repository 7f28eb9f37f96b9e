"""A user who leaves takes the work along, and no KV stays pinned."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace

import aiohttp
import pytest
from tests.fakes.fake_engine import Act
from tests.fakes.gateway_fleet import ASK, PROFILE, Fleet, fleet

from tandem.api.role import Role

SLOW_LINK = replace(PROFILE, transfer=replace(PROFILE.transfer, latency_s=5.0))
RELEASES = "tandem_gateway_kv_releases_total"


@contextlib.asynccontextmanager
async def impatient(made: Fleet, *, stream: bool = True) -> AsyncIterator[None]:
    """A user who asks, and leaves at the end of the block."""
    asked = asyncio.create_task(made.ask(stream=stream, max_tokens=50))
    yield
    asked.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await asked


async def cancelled(made: Fleet) -> None:
    """The request has ended as one that its user called off, and is judged by nobody."""
    await made.until(made.is_quiet)
    assert await made.metric("tandem_gateway_finished_total", outcome="cancelled") == 1
    assert await made.metric("tandem_gateway_slo_total") == 0


async def test_in_the_queue_it_is_removed() -> None:
    async with fleet() as made:
        made.desk.pods.replace([])
        async with impatient(made):
            await made.until(lambda: made.desk.dispatch.queued_requests)
        await cancelled(made)
        assert made.desk.dispatch.queued_requests == 0
        made.list_pods()
        await asyncio.sleep(0.05)
        assert not made["p0"].legs


async def test_in_the_prefill_leg_its_connection_is_closed() -> None:
    async with fleet() as made:
        made["p0"].acts.append(Act(hang=True))
        async with impatient(made):
            await made.until(lambda: made["p0"].legs)
        await cancelled(made)
        await made.until(lambda: made["p0"].legs[0].end == "closed")


async def test_between_the_legs_its_kv_is_let_go_by_a_decode_leg() -> None:
    async with fleet() as made:
        prefilled = asyncio.Event()
        made["p0"].acts.append(Act(gate=prefilled))
        async with impatient(made):
            await made.until(lambda: made["p0"].legs)
            made.list_pods("p0")
            prefilled.set()
            await made.until(lambda: made.desk.dispatch.loads(Role.PREFILL)[0].pinned)
        await asyncio.sleep(0.05)
        made.list_pods()
        await cancelled(made)
        leg = made["d0"].legs[0]
        assert (leg.body["max_tokens"], leg.body["stream"]) == (1, True)
        assert made.fabric == set()
        assert await made.metric(RELEASES, outcome="released") == 1


async def test_between_the_legs_with_no_decode_pod_the_lease_lets_go() -> None:
    async with fleet(kv_lease_s=0.5, margin_s=0.3) as made:
        prefilled = asyncio.Event()
        made["p0"].acts.append(Act(gate=prefilled))
        async with impatient(made):
            await made.until(lambda: made["p0"].legs)
            made.list_pods("p0")
            prefilled.set()
            await made.until(lambda: made.desk.dispatch.loads(Role.PREFILL)[0].pinned)
        await cancelled(made)
        assert await made.metric(RELEASES, outcome="failed") == 1
        assert not made["d0"].legs, "expired KV is never asked for"


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
async def test_while_the_decode_leg_is_being_accepted_its_kv_is_let_go(
    stream: bool,  # noqa: FBT001
) -> None:
    async with fleet(profiles=dict.fromkeys(Role, SLOW_LINK)) as made:
        made["d0"].acts.append(Act(hang=True, abort=True))  # has not taken the KV
        async with impatient(made, stream=stream):
            await made.until(lambda: made["d0"].legs)
            assert made.fabric
        await cancelled(made)
        await made.until(lambda: made["d0"].legs[0].end == "closed")
        assert made.fabric == set()


async def test_after_the_decode_leg_was_accepted_to_close_it_is_enough() -> None:
    async with fleet() as made:
        made["d0"].acts.append(Act(stall_after=0))
        async with impatient(made):
            await made.until(lambda: made["d0"].legs)
            await asyncio.sleep(0.1)  # the head of its answer is on the way
        await cancelled(made)
        await made.until(lambda: made["d0"].legs[0].end == "closed")
        assert len(made["d0"].legs) == 1
        assert await made.metric(RELEASES) == 0


async def test_while_it_decodes_the_stream_is_closed_upstream() -> None:
    async with fleet() as made:
        made["d0"].acts.append(Act(gap_s=0.05))
        async with made.user.post(
            made.url + "/v1/completions", json={**ASK, "stream": True, "max_tokens": 50}
        ) as answer:
            await answer.content.readany()
            answer.close()
        await cancelled(made)
        await made.until(lambda: made["d0"].legs[0].end == "closed")
        assert await made.metric("tandem_gateway_request_lengths_total") == 1
        assert await made.metric(RELEASES) == 0
        assert await made.metric("tandem_gateway_time_to_first_token_seconds_count") == 1


async def test_a_user_who_leaves_before_the_body_is_none() -> None:
    async with fleet() as made:
        host, port = made.url.removeprefix("http://").split(":")
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"POST /v1/completions HTTP/1.1\r\nHost: a\r\nContent-Length: 99\r\n\r\n{")
        await writer.drain()
        await made.until(lambda: made.desk.serving)
        writer.close()
        await made.until(lambda: not made.desk.serving)
        assert await made.metric("tandem_gateway_arrivals_total") == 0


async def test_a_storm_of_users_who_leave_leaves_nothing_behind() -> None:
    async with fleet(prefill=2, decode=2) as made:
        for engine in made.engines.values():
            engine.acts.extend(Act(delay_s=0.004, gap_s=0.002) for _ in range(400))

        places = asyncio.Semaphore(20)

        async def ask(number: int) -> None:
            async with places:
                with contextlib.suppress(TimeoutError, aiohttp.ClientError):
                    async with asyncio.timeout(0.005 * (number % 50)):
                        await made.stream(max_tokens=10)

        await asyncio.gather(*(ask(number) for number in range(150)))
        await made.until(made.is_quiet)
        pinned = made["p0"].ever_pinned + made["p1"].ever_pinned
        handed_over = await made.metric("tandem_gateway_prefill_leg_seconds_count")
        assert handed_over > 10
        assert pinned - len(made.fabric) == handed_over, "all KV that the gateway knew of is gone"
        ended = await made.metric("tandem_gateway_finished_total")
        assert ended == await made.metric("tandem_gateway_arrivals_total")
