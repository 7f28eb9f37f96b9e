"""Real vLLM behind the gateway: right tokens from moved KV, and drains that no user sees.

Three engines of the tiny model on CPU. `a` prefills and `b` decodes; `c`, alone, says what is right.
A fourth one drains.
"""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from pathlib import Path

import aiohttp
import pytest
from e2e.gateway_process import GatewayProcess, gateway, metric
from e2e.vllm.engine import Engine, engines
from e2e.vllm.users import LENGTHS, MODEL, Answer, Ask, ask, chat, send, send_all, session

from tandem.api.role import Role
from tandem.cluster import series
from tandem.cluster.local.addresses import free_port
from tandem_engine.vllm.command import CPU_KV_BYTES, EngineSpec

pytestmark = pytest.mark.e2e

LEASE_S = 30
FLAGS = ("--model", MODEL, "--kv-lease", f"{LEASE_S}s", "--ttft", "10s", "--tpot", "500ms")
DRAIN_AFTER_S = 1.0
DRAINING_S = 8.0  # how long users go on asking, and then until one of them was in the way
NOTICED_S = 60.0
SOURCES = "vllm:prompt_tokens_by_source_total"
_cores = count()


def spec(model: Path) -> EngineSpec:
    return EngineSpec(
        model=model,
        port=free_port(),
        side_channel_port=free_port(),
        core=next(_cores) % 2,
        kv_bytes=CPU_KV_BYTES,
        lease_s=LEASE_S,
        drain_s=LEASE_S + 5,
    )


@pytest.fixture(scope="module")
def trio(
    vllm_python: Path, tiny_model: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[Engine]]:
    logs = tmp_path_factory.mktemp("vllm")
    with engines(vllm_python, [spec(tiny_model) for _ in "abc"], logs) as started:
        yield started


@pytest.fixture
def front(tmp_path: Path) -> Iterator[GatewayProcess]:
    with gateway(tmp_path, *FLAGS) as started:
        yield started


async def holds(told: Callable[[], object]) -> None:
    """Wait until another process tells of something."""
    while not await asyncio.to_thread(told):  # noqa: ASYNC110 - it cannot call us
        await asyncio.sleep(0.05)


def prefill(name: str, engine: Engine) -> tuple[str, Role, str]:
    return name, Role.PREFILL, engine.url


def decode(name: str, engine: Engine) -> tuple[str, Role, str]:
    return name, Role.DECODE, engine.url


def test_tokens_equal_a_single_engine_s_and_decode_computes_no_prompt(
    trio: list[Engine], front: GatewayProcess
) -> None:
    a, b, alone = trio
    asks = [ask(number, length) for number, length in enumerate(LENGTHS)]
    asks += [ask(10 + number, length) for number, length in enumerate(LENGTHS)] + [chat()]
    right = asyncio.run(send_all(alone.url, asks))
    front.list_pods(prefill("a", a), decode("b", b), revision="1")
    usage = {"stream": True, "stream_options": {"include_usage": True}}
    streamed = [Ask(x.path, {**x.body, **(usage if n % 3 else {})}) for n, x in enumerate(asks)]
    one_by_one = asyncio.run(send_all(front.url, streamed[: len(LENGTHS)], at_once=1))
    at_once = asyncio.run(send_all(front.url, streamed[len(LENGTHS) :], at_once=9))

    assert one_by_one + at_once == right
    prompt_tokens = sum(x.prompt_tokens for x in right)
    assert metric(b.url, SOURCES, source="external_kv_transfer") == prompt_tokens
    assert metric(b.url, SOURCES) == prompt_tokens, "no other source: nothing computed, no hits"
    assert metric(a.url, series.VLLM.kv_expired) == 0
    assert front.metric(series.FINISHED, outcome="ok") == len(asks)
    assert front.metric(series.RETRIES) == 0
    assert front.metric(f"{series.TTFT}_count") == len(asks)


def test_kv_of_a_user_who_left_between_the_legs_is_let_go_long_before_its_lease(
    trio: list[Engine], front: GatewayProcess
) -> None:
    a, b, _ = trio
    front.list_pods(prefill("a", a), decode("b", b), revision="1")

    async def leave() -> None:
        """Ask while the prefill engine stands still, so that the decode pod goes before it is done."""
        async with session() as user, asyncio.timeout(NOTICED_S):
            with a.standing_still():
                asked = asyncio.create_task(send(user, front.url, ask(50, 600, tokens=300)))
                await holds(lambda: front.metric(series.IN_FLIGHT, role=Role.PREFILL))
                front.list_pods(prefill("a", a), revision="1")
            await holds(lambda: front.metric(series.PINNED, target_pod="a"))
            asked.cancel()

    asyncio.run(leave())
    pinned = metric(a.url, series.VLLM.kv_usage)
    front.list_pods(prefill("a", a), decode("b", b), revision="1")
    until = time.monotonic() + LEASE_S / 2
    while metric(a.url, series.VLLM.kv_usage) >= pinned and time.monotonic() < until:
        time.sleep(0.1)
    assert pinned > 0
    assert metric(a.url, series.VLLM.kv_usage) == 0
    assert front.metric(series.RELEASES, outcome="released") == 1
    assert metric(a.url, series.VLLM.kv_expired) == 0


@pytest.fixture
def leaving(vllm_python: Path, tiny_model: Path, tmp_path: Path) -> Iterator[Engine]:
    """A fourth engine, to be drained."""
    with engines(vllm_python, [spec(tiny_model)], tmp_path) as (started,):
        yield started


async def asked_while_it_drains(
    url: str, asks: Sequence[Ask], drain: Callable[[], None], met: Callable[[], bool]
) -> list[tuple[int, Answer]]:
    """What four users get who ask in turn before the drain and in it, each with its ask.

    They go on until one of them has `met` the engine that drains, however slow the machine is.
    """
    got: list[tuple[int, Answer]] = []
    ends_s = time.monotonic() + DRAIN_AFTER_S + DRAINING_S
    asyncio.get_running_loop().call_later(DRAIN_AFTER_S, drain)

    async def user(first: int, http: aiohttp.ClientSession) -> None:
        for turn in count(first, 4):
            number = turn % len(asks)
            got.append((number, await send(http, url, asks[number])))
            late_s = time.monotonic() - ends_s
            if late_s > NOTICED_S or (late_s > 0 and await asyncio.to_thread(met)):
                return

    async with session() as http:
        await asyncio.gather(*(user(first, http) for first in range(4)))
    return got


@pytest.mark.full  # five engines on two cores: beside other work a user may wait in vain
@pytest.mark.parametrize("role", list(Role))
def test_no_user_sees_an_engine_drain(
    role: Role, trio: list[Engine], leaving: Engine, front: GatewayProcess
) -> None:
    a, b, c = trio
    asks = [ask(100 + n, 20 + n, tokens=40, stream=n % 2 == 0) for n in range(12)]
    right = asyncio.run(send_all(c.url, [Ask(x.path, {**x.body, "stream": False}) for x in asks]))
    pods = {Role.PREFILL: prefill("a", a), Role.DECODE: decode("b", b)}
    # Two engines that meet for the first time under load have wedged each other's UCX (seen twice):
    # let the newcomer meet its peer alone.
    front.list_pods(*(pods | {role: ("leaving", role, leaving.url)}).values(), revision="1")
    assert asyncio.run(send_all(front.url, asks[:1]))[0].text == right[0].text
    front.list_pods(*pods.values(), ("leaving", role, leaving.url), revision="1")

    def refused() -> bool:
        return front.metric(series.RETRIES, leg=role) > 0

    got = asyncio.run(asked_while_it_drains(front.url, asks, leaving.terminate, refused))
    for number, answered in got:
        assert (answered.status, answered.finish_reason) == (200, "length")
        assert answered.text == right[number].text
    assert refused(), "it was still listed, and refused"
    assert front.metric(series.FINISHED, outcome="ok") == len(got) + 1
    assert front.metric(series.FINISHED) == len(got) + 1
