from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fakes.fake_engine import token_event, usage_event

from tandem.gateway.sse import Ending, EventCounter, Opening, error_event, opening

GOLDEN = Path(__file__).parents[1] / "golden" / "vllm"
DONE = b"data: [DONE]\n\n"
ROLE = b'data: {"choices":[{"delta":{"role":"assistant","content":""},"finish_reason":null}]}\n\n'
ABORT = b'data: {"choices":[{"text":"","finish_reason":"abort"}]}\n\n'


def golden(name: str) -> bytes:
    return (GOLDEN / name).read_bytes()


def cut(stream: bytes, at: list[int]) -> list[bytes]:
    """The stream in pieces, cut at these places."""
    edges = [0, *sorted({place % (len(stream) + 1) for place in at}), len(stream)]
    return [stream[begin:end] for begin, end in pairwise(edges)]


texts = st.text(st.characters(codec="utf-8")) | st.sampled_from(["data: x", "\n\ndata: ", "\r\n"])


@given(st.lists(texts, max_size=12), st.lists(st.integers(0, 5000), max_size=40), st.booleans())
def test_events_are_counted_however_they_are_split(
    said: list[str],
    at: list[int],
    crlf: bool,  # noqa: FBT001
) -> None:
    stream = b"".join(token_event(text) for text in said) + DONE
    if crlf:
        stream = stream.replace(b"\n", b"\r\n")
    counter = EventCounter()
    assert sum(counter.feed(read) for read in cut(stream, at)) == len(said) + 1


@given(st.integers(1, 12), st.integers(0, 2), st.lists(st.integers(0, 9000), max_size=60))
def test_the_ending_is_read_however_it_is_split(tokens: int, usages: int, at: list[int]) -> None:
    stream = token_event("z" * 300) * tokens + usage_event(5, tokens) * usages + DONE
    counter = EventCounter()
    for read in cut(stream, at):
        counter.feed(read)
    assert counter.ending() == Ending(usages + 1, tokens if usages else None)


@given(st.lists(st.integers(0, 5000), max_size=30))
def test_every_byte_at_once_or_one_by_one_gives_the_same(at: list[int]) -> None:
    stream = golden("chat_stream.txt")
    counter = EventCounter()
    assert sum(counter.feed(read) for read in cut(stream, at)) == 11
    assert counter.ending() == Ending(2, 8)


@pytest.mark.parametrize(
    ("begun", "expected"),
    [
        pytest.param(token_event("a"), Opening(0), id="a token"),
        pytest.param(token_event(""), Opening(0), id="a token of empty text"),
        pytest.param(ROLE + token_event("a"), Opening(1), id="who speaks, then a token"),
        pytest.param(ROLE, None, id="who speaks is no token"),
        pytest.param(b"", None, id="nothing yet"),
        pytest.param(token_event("a")[:-1], None, id="half an event"),
        pytest.param(b": ping\n\n" + token_event("a"), Opening(0), id="after a comment"),
        pytest.param(DONE, Opening(0, "abort"), id="an end without a token"),
        pytest.param(ABORT + DONE, Opening(0, "abort"), id="an abort"),
        pytest.param(usage_event(5, 0) + DONE, Opening(1, "abort"), id="usage and no token"),
        pytest.param(error_event("dead", 500), Opening(0, "error"), id="an error"),
        pytest.param(golden("abort_stream.txt"), Opening(1, "abort"), id="vLLM draining"),
        pytest.param(
            golden("abort_stream_without_usage.txt"), Opening(0, "abort"), id="and without usage"
        ),
        pytest.param(golden("decode_stream.txt"), Opening(0), id="vLLM's completion"),
        pytest.param(golden("chat_stream.txt"), Opening(1), id="vLLM's chat"),
    ],
)
def test_an_opening_tells_whether_a_token_came(begun: bytes, expected: Opening | None) -> None:
    assert opening(begun) == expected


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        pytest.param(golden("decode_stream.txt"), Ending(2, 16), id="vLLM's completion"),
        pytest.param(golden("chat_stream.txt"), Ending(2, 8), id="vLLM's chat"),
        pytest.param(golden("stream_continuous_usage.txt"), Ending(2, 6), id="running usage"),
        pytest.param(golden("cut_stream_error.txt"), Ending(2, None, cut=True), id="core died"),
        pytest.param(token_event("a") + DONE, Ending(1), id="no usage"),
        pytest.param(
            token_event("a") * 50
            + usage_event(9, 50).replace(b"{", b'{"details":"%s",' % (b"x" * 3000), 1)
            + DONE,
            Ending(2, 50),
            id="a long usage",
        ),
        pytest.param(token_event("a"), Ending(0), id="no end mark"),
        pytest.param(token_event("a") + ABORT + DONE, Ending(2, cut=True), id="cut by a drain"),
        pytest.param(
            b'data: {"choices":[{"text":"a","finish_reason":"abort"}]}\n\n' + DONE,
            Ending(1, cut=True),
            id="cut with its last token",
        ),
    ],
)
def test_an_ending_tells_tokens_and_cuts(stream: bytes, expected: Ending) -> None:
    counter = EventCounter()
    counter.feed(stream)
    assert counter.ending() == expected
