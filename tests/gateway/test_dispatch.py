import asyncio

import pytest

from tandem.api.role import Role
from tandem.gateway.dispatch import Dispatch
from tandem.gateway.failures import WaitedTooLongError
from tandem.perf.engine_profile import DecodeCost
from tandem.routing.model import RoutePod, RouteRequest
from tandem.routing.router import Router

COST = DecodeCost(alpha_s=0.01, beta_s_per_sequence=0.001, gamma_s_per_token=1e-6)
P0 = RoutePod(name="p0", role=Role.PREFILL, kv_capacity_tokens=1000)
D0 = RoutePod(name="d0", role=Role.DECODE, kv_capacity_tokens=1000)


def dispatch(*pods: RoutePod, now_s: float = 0.0) -> Dispatch:
    made = Dispatch(Router(COST, tpot_s=0.05), lambda: now_s)
    made.set_pods(pods)
    return made


def request(key: str, deadline_s: float = 2.0) -> RouteRequest:
    return RouteRequest(
        key=key, arrival_s=0.0, deadline_s=deadline_s, input_tokens=10, service_s=0.1
    )


async def test_a_free_pod_is_given_at_once() -> None:
    made = dispatch(P0, D0)
    assert await made.prefill_pod(request("a"), wait_s=1) == P0
    assert await made.decode_pod("a", until_s=1) == D0


async def test_turns_come_in_the_router_s_order() -> None:
    made, served = dispatch(P0, D0, now_s=1.5), list[str]()

    async def go(key: str, deadline_s: float) -> None:
        await made.prefill_pod(request(key, deadline_s), wait_s=1)
        served.append(key)
        made.ended(key)

    await made.prefill_pod(request("first"), wait_s=1)
    tasks = [
        asyncio.create_task(go(key, deadline_s))
        for key, deadline_s in (("late", 1.0), ("calm", 9.0), ("urgent", 3.0))
    ]
    await asyncio.sleep(0)
    assert made.queued_requests == 3
    assert made.queued_tokens == 30
    made.prefilled("first")
    await asyncio.gather(*tasks)
    assert served == ["urgent", "calm", "late"]


async def test_who_waits_too_long_is_told_and_forgotten() -> None:
    made = dispatch(D0)
    with pytest.raises(WaitedTooLongError):
        await made.prefill_pod(request("a"), wait_s=0.01)
    made.ended("a")
    assert made.queued_requests == 0
    made.set_pods([P0, D0])
    assert await made.prefill_pod(request("b"), wait_s=1) == P0


async def test_who_leaves_as_its_turn_comes_gives_the_pod_back() -> None:
    made = dispatch(D0)
    leaving = asyncio.create_task(made.prefill_pod(request("a"), wait_s=1))
    staying = asyncio.create_task(made.prefill_pod(request("b"), wait_s=1))
    await asyncio.sleep(0)
    leaving.cancel()
    made.set_pods([P0, D0])  # before the cancelled task has run
    await asyncio.sleep(0)
    made.ended("a")
    assert await staying == P0


async def test_a_decode_pod_that_comes_in_time_is_given() -> None:
    made = dispatch(P0, D0)
    await made.prefill_pod(request("a"), wait_s=1)
    made.set_pods([P0])
    waiting = asyncio.create_task(made.decode_pod("a", until_s=1))
    await asyncio.sleep(0)
    made.set_pods([P0, D0])
    assert await waiting == D0


async def test_who_leaves_as_a_decode_pod_comes_is_not_given_it() -> None:
    made = dispatch(P0, D0)
    await made.prefill_pod(request("a"), wait_s=1)
    made.set_pods([P0])
    leaving = asyncio.create_task(made.decode_pod("a", until_s=1))
    await asyncio.sleep(0)
    leaving.cancel()
    made.set_pods([P0, D0])  # before the cancelled task has run
    with pytest.raises(asyncio.CancelledError):
        await leaving
    assert [len(load.tokens) for load in made.loads(Role.DECODE)] == [0]


async def test_no_decode_pod_is_given_when_it_is_too_late() -> None:
    made = dispatch(P0, D0, now_s=5.0)
    await made.prefill_pod(request("a"), wait_s=1)
    assert await made.decode_pod("a", until_s=5.0) is None
    made.set_pods([P0])
    assert await made.decode_pod("a", until_s=5.02) is None
    made.set_pods([P0, D0])
    assert [len(load.tokens) for load in made.loads(Role.DECODE)] == [0]


async def test_nothing_is_prefilled_while_nobody_could_decode() -> None:
    made = dispatch(P0)
    waiting = asyncio.create_task(made.prefill_pod(request("a"), wait_s=1))
    await asyncio.sleep(0)
    assert made.queued_requests == 1
    made.set_pods([P0, D0])
    assert await waiting == P0
