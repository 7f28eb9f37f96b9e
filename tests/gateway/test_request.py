import json
from typing import Any

import pytest

from tandem.errors import InvalidInputError
from tandem.gateway.request import ClientRequest, Endpoint, parse

CHAT, COMPLETIONS = Endpoint.CHAT, Endpoint.COMPLETIONS


def parsed(endpoint: Endpoint = COMPLETIONS, **body: Any) -> ClientRequest:
    return parse(endpoint, json.dumps(body).encode(), "id", {})


@pytest.mark.parametrize(
    ("endpoint", "content", "field", "message"),
    [
        pytest.param(COMPLETIONS, b"{", "body", "a JSON object", id="no JSON"),
        pytest.param(COMPLETIONS, b"[1]", "body", "a JSON object", id="no object"),
        pytest.param(COMPLETIONS, b"\xff{}", "body", "a JSON object", id="no text"),
        pytest.param(COMPLETIONS, b"{}", "prompt", "None is not allowed", id="no prompt"),
        pytest.param(COMPLETIONS, b'{"prompt":""}', "prompt", "one prompt", id="empty prompt"),
        pytest.param(COMPLETIONS, b'{"prompt":[]}', "prompt", "one prompt", id="no token ids"),
        pytest.param(COMPLETIONS, b'{"prompt":["a","b"]}', "prompt", "one prompt", id="two"),
        pytest.param(COMPLETIONS, b'{"prompt":[[1],[2]]}', "prompt", "one prompt", id="two of ids"),
        pytest.param(COMPLETIONS, b'{"prompt":"a","n":2}', "n", "2 is not allowed: 1", id="n"),
        pytest.param(COMPLETIONS, b'{"prompt":"a","best_of":2}', "best_of", "1", id="best_of"),
        pytest.param(COMPLETIONS, b'{"prompt":"a","stream":"yes"}', "stream", "true", id="stream"),
        pytest.param(CHAT, b'{"prompt":"a"}', "messages", "at least one", id="no messages"),
        pytest.param(CHAT, b'{"messages":[]}', "messages", "at least one", id="empty messages"),
    ],
)
def test_a_wrong_body_is_told_field_value_and_what_is_allowed(
    endpoint: Endpoint, content: bytes, field: str, message: str
) -> None:
    with pytest.raises(InvalidInputError, match=message) as told:
        parse(endpoint, content, "id", {})
    assert told.value.field == field


@pytest.mark.parametrize(
    ("prompt", "tokens", "utf8_bytes"),
    [
        pytest.param([5, 6, 7], 3, 0, id="token ids"),
        pytest.param([[5, 6]], 2, 0, id="one list of token ids"),
        pytest.param("abc", None, 3, id="text"),
        pytest.param(["abcd"], None, 4, id="a list of one text"),
        pytest.param("für", None, 4, id="bytes, not characters"),
        pytest.param("\ud800", None, 1, id="half a surrogate pair"),
    ],
)
def test_a_prompt_is_counted_in_tokens_or_in_bytes(
    prompt: object, tokens: int | None, utf8_bytes: int
) -> None:
    found = parsed(prompt=prompt).prompt
    assert (found.tokens, found.utf8_bytes) == (tokens, utf8_bytes)


def test_a_chat_counts_the_text_of_all_its_messages() -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:..."}}
    messages = [
        {"role": "system", "content": "abc"},
        {"role": "user", "content": [{"type": "text", "text": "de"}, picture]},
        {"role": "assistant", "content": None, "tool_calls": []},
        "no message: the engine will say so",
    ]
    assert parsed(CHAT, messages=messages).prompt.utf8_bytes == 5


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param({}, None, id="none given"),
        pytest.param({"max_tokens": 7}, 7, id="max_tokens"),
        pytest.param({"max_tokens": 7, "max_completion_tokens": 5}, 5, id="the newer name wins"),
        pytest.param({"max_tokens": -1}, None, id="the engine refuses it"),
        pytest.param({"max_tokens": "7"}, None, id="not a number"),
        pytest.param({"max_tokens": True}, None, id="not a number either"),
    ],
)
def test_the_bound_on_the_answer(body: dict[str, Any], expected: int | None) -> None:
    assert parsed(prompt="a", **body).max_tokens == expected


def test_one_answer_may_be_asked_for_in_so_many_words() -> None:
    found = parsed(prompt="a", n=1, best_of=1, stream=None, model="tiny")
    assert (found.stream, found.model) == (False, "tiny")
