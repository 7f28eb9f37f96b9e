"""Requests that are not served, and why their users are told so."""

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest
from tests.fakes.fake_engine import Act
from tests.fakes.gateway_fleet import PROFILE, fleet

from tandem.api.role import Role

SMALL = replace(PROFILE, kv=replace(PROFILE.kv, capacity_tokens=1000))
FINISHED = "tandem_gateway_finished_total"
SLO = "tandem_gateway_slo_total"


async def test_a_wrong_request_is_no_arrival_and_judged_by_nobody() -> None:
    async with fleet() as made:
        async with made.user.post(f"{made.url}/v1/completions", data=b'{"prompt": 5}') as answer:
            assert answer.status == 400
            assert (await answer.json())["error"] == {
                "message": "prompt: '5' is not allowed: one prompt: a text or a list of token ids",
                "type": "BadRequestError",
                "param": "prompt",
                "code": 400,
            }
        assert await made.metric(FINISHED, outcome="invalid") == 1
        assert await made.metric("tandem_gateway_arrivals_total") == 0
        assert await made.metric(SLO) == 0
        assert not made["p0"].legs


async def test_a_prompt_larger_than_any_kv_is_refused_when_its_ids_are_counted() -> None:
    async with fleet(profiles=dict.fromkeys(Role, SMALL)) as made:
        status, body = await made.ask(prompt=[5] * 1001)
        assert status == 400
        told = json.loads(body)["error"]["message"]
        assert told == "prompt: '1001 tokens' is not allowed: at most 1000 tokens of KV"
        assert (await made.ask(prompt=[5] * 1000))[0] == 200
        status, _ = await made.ask(prompt="x" * 8000)
        assert status == 200, "a text's length is an estimate: the engine judges it"


async def test_a_full_queue_is_told_when_to_come_back() -> None:
    async with fleet(max_queue=1) as made:
        prefilled = asyncio.Event()
        made["p0"].acts.append(Act(gate=prefilled))
        asked = [asyncio.create_task(made.ask())]
        await made.until(lambda: made["p0"].legs)
        asked.append(asyncio.create_task(made.ask()))
        await made.until(lambda: made.desk.dispatch.queued_requests)
        async with made.user.post(made.url + "/v1/completions", json={"prompt": "a"}) as answer:
            assert (answer.status, answer.headers["Retry-After"]) == (429, "1")
        prefilled.set()
        assert [status for status, _ in await asyncio.gather(*asked)] == [200, 200]
        assert await made.metric(FINISHED, outcome="refused") == 1
        assert await made.metric(SLO, ttft="missed", tpot="missed") == 1


async def test_without_pods_a_request_waits_and_then_is_refused() -> None:
    async with fleet(max_wait_s=0.2) as made:
        made.desk.pods.replace([])
        status, body = await made.ask()
        assert status == 503
        assert "no pod came free within 0.2 s" in json.loads(body)["error"]["message"]
        assert await made.metric(SLO, ttft="missed", tpot="missed") == 1


async def test_a_request_waits_for_a_fleet_that_wakes_up() -> None:
    async with fleet() as made:
        made.desk.pods.replace([])
        asked = asyncio.create_task(made.stream())
        await made.until(lambda: made.desk.dispatch.queued_requests)
        made.list_pods("p0")
        await asyncio.sleep(0.05)
        assert not made["p0"].legs, "no prefill while no decode pod could take its KV"
        made.list_pods()
        assert (await asked)[0] == 200


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("role", ["p0", "d0"])
async def test_an_engine_s_4xx_passes_unchanged(role: str, stream: bool) -> None:  # noqa: FBT001
    async with fleet() as made:
        made[role].acts.append(Act(status=404))
        assert await made.ask(stream=stream) == (404, Act().body)
        await made.until(made.is_quiet)
        assert await made.metric(FINISHED, outcome="invalid") == 1
        assert await made.metric(SLO) == 0
        assert made.fabric == set(), "what was prefilled is let go"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/v1/models", {"object": "list"}),
        ("/health", {"status": "ok"}),
        ("/readyz", {"draining": False, "ready_pods": {"prefill": 1, "decode": 1}}),
    ],
)
async def test_the_gateway_tells_about_itself(path: str, expected: dict[str, Any]) -> None:
    async with fleet() as made, made.user.get(made.url + path) as answer:
        assert answer.status == 200
        assert expected.items() <= (await answer.json()).items()


async def test_while_it_drains_new_requests_go_elsewhere_and_streams_finish() -> None:
    async with fleet() as made:
        made["d0"].acts.append(Act(gap_s=0.05))
        stream = asyncio.create_task(made.stream(max_tokens=8))
        await made.until(lambda: made["d0"].legs)
        made.server.handle_exit(15, None)
        assert (await made.ask())[0] == 503
        async with made.user.get(made.url + "/readyz") as answer:
            assert answer.status == 503
        status, body = await stream
        assert (status, body.count(b'"text": "z"')) == (200, 8)
