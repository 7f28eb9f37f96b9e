"""Real vLLM behind the gateway: right tokens from moved KV, and drains that no user sees.

Three engines of the tiny model on CPU. `a` prefills and `b` decodes; `c`, alone, says what is right.
A fourth one drains.
"""

import asyncio
import json
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from e2e.gateway_process import GatewayProcess, gateway, metric
from e2e.vllm.engine import Engine, engines

from tandem.api.role import Role
from tandem.cluster import series
from tandem.cluster.local.addresses import free_port
from tandem_engine.vllm.command import CPU_KV_BYTES, EngineSpec

pytestmark = pytest.mark.e2e

WORDS = [
    "the",
    "fleet",
    "scales",
    "prefill",
    "and",
    "decode",
    "apart",
    "each",
    "by",
    "work",
    "that",
    "waits",
    "for",
    "it",
]
LENGTHS = (5, 16, 40, 127, 128, 129, 400, 900)  # words or ids: around and across blocks of 128
LEASE_S = 30
FLAGS = ("--model", "tiny", "--kv-lease", f"{LEASE_S}s", "--ttft", "10s", "--tpot", "500ms")
USER_PATIENCE_S = 300.0  # engines that meet on a busy machine have stood still for a minute
DRAIN_AFTER_S = 1.0
DRAINING_S = 8.0  # how long users go on asking
SOURCES = "vllm:prompt_tokens_by_source_total"
_cores = count()


@dataclass(frozen=True, slots=True)
class Ask:
    """One request and the path it goes to."""

    path: str
    body: dict[str, Any]


def ask(number: int, length: int, *, tokens: int = 24, **more: Any) -> Ask:
    """A completion of random words, or of random token ids; no two begin alike."""
    drawn = random.Random(number)  # noqa: S311 - prompts, no secrets
    prompt: str | list[int] = " ".join(drawn.choices(WORDS, k=length))
    if number % 2:
        prompt = [drawn.randrange(2, 320) for _ in range(length)]
    body = {"model": "tiny", "prompt": prompt, "max_tokens": tokens, "temperature": 0, **more}
    return Ask("/v1/completions", body)


def chat() -> Ask:
    messages = [{"role": "user", "content": "which part of the fleet waits for the other?"}]
    body = {"model": "tiny", "messages": messages, "max_tokens": 24, "temperature": 0}
    return Ask("/v1/chat/completions", body)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a user got."""

    status: int
    text: str
    finish_reason: str | None
    prompt_tokens: int


def spoken(choice: dict[str, Any]) -> str:
    said = choice.get("delta") or choice.get("message") or {"content": choice.get("text")}
    return str(said.get("content") or "")


def answer(status: int, content: bytes) -> Answer:
    """The answer of a whole body or of a stream."""
    events = [content]
    if content.startswith(b"data:"):
        lines = (line.removeprefix(b"data: ") for line in content.split(b"\n\n"))
        events = [line for line in lines if line.startswith(b"{")]
    bodies = [json.loads(event) for event in events]
    choices = [choice for body in bodies for choice in body.get("choices", ())]
    return Answer(
        status=status,
        text="".join(map(spoken, choices)),
        finish_reason=choices[-1]["finish_reason"] if choices else None,
        prompt_tokens=next((x["usage"]["prompt_tokens"] for x in bodies if x.get("usage")), 0),
    )


async def send(user: aiohttp.ClientSession, url: str, asked: Ask) -> Answer:
    async with user.post(url + asked.path, json=asked.body) as got:
        return answer(got.status, await got.read())


async def send_all(url: str, asks: Sequence[Ask], at_once: int = 4) -> list[Answer]:
    """All answers, in order, so many requests at a time."""
    places = asyncio.Semaphore(at_once)
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=USER_PATIENCE_S)) as user:

        async def one(asked: Ask) -> Answer:
            async with places:
                return await send(user, url, asked)

        return list(await asyncio.gather(*map(one, asks)))


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
    # Pods of different revisions are never paired: the request stays between its legs.
    front.list_pods(prefill("a", a), decode("b", b))

    async def leave() -> None:
        async with aiohttp.ClientSession() as user:
            asked = asyncio.create_task(send(user, front.url, ask(50, 600, tokens=300)))
            while not front.metric(series.PINNED, target_pod="a"):  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.05)
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
    url: str, asks: Sequence[Ask], drain: Callable[[], None]
) -> list[tuple[int, Answer]]:
    """What four users get who ask in turn, before the drain begins and after it, each with its ask."""
    got: list[tuple[int, Answer]] = []
    ends_s = time.monotonic() + DRAIN_AFTER_S + DRAINING_S
    asyncio.get_running_loop().call_later(DRAIN_AFTER_S, drain)

    async def user(first: int, http: aiohttp.ClientSession) -> None:
        for turn in count(first, 4):
            number = turn % len(asks)
            got.append((number, await send(http, url, asks[number])))
            if time.monotonic() > ends_s:
                return

    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=USER_PATIENCE_S)) as http:
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
    got = asyncio.run(asked_while_it_drains(front.url, asks, leaving.terminate))
    for number, answered in got:
        assert (answered.status, answered.finish_reason) == (200, "length")
        assert answered.text == right[number].text
    assert front.metric(series.RETRIES, leg=role) > 0, "it was still listed, and refused"
    assert front.metric(series.FINISHED, outcome="ok") == len(got) + 1
    assert front.metric(series.FINISHED) == len(got) + 1
