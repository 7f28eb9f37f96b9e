"""A user's request, checked for what the gateway itself needs; the rest is the engine's to judge."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from tandem.errors import InvalidInputError

_SHOWN = 60  # characters of a wrong value that an error repeats


class Endpoint(StrEnum):
    """Where a request came in, and where both of its legs go."""

    COMPLETIONS = "/v1/completions"
    CHAT = "/v1/chat/completions"


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """A prompt's size: exact where the user sent token ids, else its bytes of UTF-8."""

    utf8_bytes: int = 0
    tokens: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientRequest:
    """One request as both legs need it; `headers` go along with each."""

    endpoint: Endpoint
    request_id: str
    body: Mapping[str, Any]
    headers: Mapping[str, str]
    model: str
    stream: bool
    prompt: Prompt
    max_tokens: int | None


def parse(
    endpoint: Endpoint, content: bytes, request_id: str, headers: Mapping[str, str]
) -> ClientRequest:
    """The request of a body; raises `InvalidInputError` for what can't be served."""
    body = _object(content)
    _refuse_several(body)
    stream = body.get("stream") or False
    if not isinstance(stream, bool):
        raise InvalidInputError("stream", stream, "true or false")
    return ClientRequest(
        endpoint=endpoint,
        request_id=request_id,
        body=body,
        headers=headers,
        model=str(body.get("model", "")),
        stream=stream,
        prompt=_chat(body) if endpoint is Endpoint.CHAT else _prompt(body),
        max_tokens=_max_tokens(body),
    )


def _object(content: bytes) -> Mapping[str, Any]:
    try:
        body = json.loads(content)
    except ValueError:  # also a UnicodeDecodeError
        shown = content[:_SHOWN].decode(errors="replace")
        raise InvalidInputError("body", shown, "a JSON object") from None
    if not isinstance(body, dict):
        raise InvalidInputError("body", str(body)[:_SHOWN], "a JSON object")
    return body


def _refuse_several(body: Mapping[str, Any]) -> None:
    """One prefill leg holds the KV of one answer, so a request asks for one."""
    for field in ("n", "best_of"):
        if body.get(field) not in (None, 1):
            raise InvalidInputError(field, body[field], "1: one answer a request")


def _prompt(body: Mapping[str, Any]) -> Prompt:
    prompt = body.get("prompt")
    if isinstance(prompt, list) and len(prompt) == 1 and isinstance(prompt[0], str | list):
        prompt = prompt[0]
    if isinstance(prompt, str) and prompt:
        return Prompt(utf8_bytes=len(prompt.encode(errors="replace")))
    if isinstance(prompt, list) and prompt and isinstance(prompt[0], int):
        return Prompt(tokens=len(prompt))
    shown = None if prompt is None else str(prompt)[:_SHOWN]
    raise InvalidInputError("prompt", shown, "one prompt: a text or a list of token ids")


def _chat(body: Mapping[str, Any]) -> Prompt:
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        shown = None if messages is None else str(messages)[:_SHOWN]
        raise InvalidInputError("messages", shown, "a list of at least one message")
    return Prompt(utf8_bytes=max(1, sum(map(_message_bytes, messages))))


def _message_bytes(message: object) -> int:
    """Bytes of a message's text; pictures and the like are the engine's to count."""
    content = message.get("content") if isinstance(message, dict) else None
    parts: Sequence[object] = content if isinstance(content, list) else [content]
    texts = (part.get("text") if isinstance(part, dict) else part for part in parts)
    return sum(len(text.encode(errors="replace")) for text in texts if isinstance(text, str))


def _max_tokens(body: Mapping[str, Any]) -> int | None:
    """The user's bound on the answer; one that is no number is left to the engine."""
    for field in ("max_completion_tokens", "max_tokens"):
        bound = body.get(field)
        if isinstance(bound, int) and not isinstance(bound, bool) and bound > 0:
            return bound
    return None
