import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from tandem.cli.up.load import Felt, Player, conversations, endless, prompt
from tandem.traces.request import TraceRequest


def request(arrival_s: float, output_tokens: int = 3, input_tokens: int = 5) -> TraceRequest:
    return TraceRequest(arrival_s=arrival_s, input_tokens=input_tokens, output_tokens=output_tokens)


class Gateway:
    """Answers `max_tokens` tokens and says so; `cut_after` ends a stream early, `status` refuses."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, object]] = []
        self.cut_after: int | None = None
        self.status = 200
        self.hang = False

    async def answer(self, asked: web.Request) -> web.StreamResponse:
        body = await asked.json()
        self.bodies.append(body)
        if self.hang:
            await asyncio.sleep(60)
        response = web.StreamResponse(status=self.status)
        await response.prepare(asked)
        if self.cut_after is not None:
            await response.write(b"data: {}\n\n" * self.cut_after)
            return response
        count = body["max_tokens"]
        for _ in range(count - 1):  # the last event carries two tokens, as vLLM's sometimes do
            await response.write(b"data: {}\n\n")
        usage = b'data: {"choices":[],"usage":{"completion_tokens":%d}}\n\n' % count
        await response.write(usage[:20])
        await response.write(usage[20:] + b"data: [DONE]\n\n")
        return response


@pytest.fixture
def gateway() -> Gateway:
    return Gateway()


@pytest.fixture
async def url(gateway: Gateway) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_post("/v1/completions", gateway.answer)
    server = TestServer(app)
    await server.start_server()
    yield str(server.make_url("")).rstrip("/")
    await server.close()


async def test_every_request_is_sent_at_its_time_and_counted(gateway: Gateway, url: str) -> None:
    player = Player(url, "m", [request(0.0), request(0.2, output_tokens=7)], duration_s=0.2)
    await player.play(asyncio.Event())
    assert [(one.arrival_s, one.tokens, one.done) for one in player.felt] == [
        (0.0, 3, True),
        (0.2, 7, True),
    ]
    assert [len(body["prompt"]) for body in gateway.bodies] == [5, 5]  # type: ignore[arg-type]
    assert all(0.0 <= one.ttft_s() < 1.0 for one in player.felt)


@pytest.mark.parametrize("status", [429, 503])
async def test_a_refused_request_is_not_done(gateway: Gateway, url: str, status: int) -> None:
    gateway.status = status
    player = Player(url, "m", [request(0.0), request(5.0)], duration_s=0.1)
    await player.play(asyncio.Event())
    (felt,) = player.felt
    assert (felt.done, felt.ttft_s()) == (False, float("inf"))


async def test_a_cut_answer_is_not_done(gateway: Gateway, url: str) -> None:
    gateway.cut_after = 2
    player = Player(url, "m", [request(0.0), request(5.0)], duration_s=0.1)
    await player.play(asyncio.Event())
    assert [(one.tokens, one.done) for one in player.felt] == [(0, False)]


async def test_a_gateway_that_is_away_is_a_miss_and_no_crash() -> None:
    player = Player("http://127.0.0.1:9", "m", [request(0.0), request(5.0)], duration_s=0.1)
    await player.play(asyncio.Event())
    assert [one.done for one in player.felt] == [False]


async def test_what_we_cut_ourselves_is_told_apart(gateway: Gateway, url: str) -> None:
    gateway.hang = True
    player = Player(url, "m", [request(0.0), request(60.0)], duration_s=None)
    stop = asyncio.Event()
    asyncio.get_running_loop().call_later(0.3, stop.set)
    await player.play(stop)
    assert [one.ours for one in player.felt] == [True]


async def test_a_turn_waits_for_the_answer_before_it_and_for_the_user(
    gateway: Gateway, url: str
) -> None:
    first = TraceRequest(arrival_s=0.0, input_tokens=5, output_tokens=3, session="a")
    second = TraceRequest(arrival_s=0.0, input_tokens=6, output_tokens=4, session="a", think_s=0.3)
    player = Player(url, "m", [first, second], duration_s=0.5)
    await player.play(asyncio.Event())
    one, two = player.felt[:2]
    assert (one.tokens, two.tokens) == (3, 4)
    assert one.last_s is not None
    assert two.arrival_s >= one.last_s + 0.3


def test_turns_of_a_session_are_begun_together() -> None:
    a, b, c = (
        TraceRequest(arrival_s=at, input_tokens=1, output_tokens=1, session=session)
        for at, session in enumerate(["x", "", "x"])
    )
    assert conversations([a, b, c]) == [(a, c), (b,)]


def test_a_trace_begins_anew_when_it_ends() -> None:
    turns = endless(conversations([request(0.0), request(4.0)]))
    assert [next(turns)[0] for _ in range(5)] == [0.0, 4.0, 4.0, 8.0, 8.0]


def test_prompts_have_the_length_asked_for_and_differ() -> None:
    assert [len(prompt(n, 1)) for n in (1, 2, 3, 500)] == [1, 2, 3, 500]
    assert prompt(50, 1) != prompt(50, 2)
    assert max(prompt(1000, 12345)) < 100


@pytest.mark.parametrize(
    ("felt", "tpot_s"),
    [
        pytest.param(Felt(0.0, first_s=1.0, last_s=3.0, tokens=5), 0.5, id="four gaps"),
        pytest.param(Felt(0.0, first_s=1.0, last_s=1.0, tokens=1), 0.0, id="one token has no gap"),
        pytest.param(Felt(0.0), 0.0, id="nothing came"),
    ],
)
def test_tpot_is_the_mean_gap_after_the_first_token(felt: Felt, tpot_s: float) -> None:
    assert felt.tpot_s() == tpot_s
