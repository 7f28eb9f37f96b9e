r"""Reading a stream of server-sent events without parsing its tokens.

An event begins at a line that starts with `data:`. JSON never holds a bare line break, so counting
`\ndata:` over the bytes counts events, however they are split over reads. Only the first events (is
there a token?) and the last ones (was it cut? how many tokens?) are parsed.
"""

import json
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_MARK = b"\ndata:"
_EDGE = len(_MARK) - 1
CONTENT_TYPE = "text/event-stream; charset=utf-8"
_TAIL_BYTES = 4096  # holds the last events: a usage event has some 250 bytes
_DONE = "[DONE]"
_SPOKEN = ("content", "tool_calls", "reasoning", "reasoning_content", "refusal", "function_call")


class EventCounter:
    """Counts the events of a stream, read by read, and keeps the stream's end."""

    __slots__ = ("_edge", "_kept_bytes", "_tail")

    def __init__(self) -> None:
        self._edge = b"\n"
        self._tail: deque[bytes] = deque()
        self._kept_bytes = 0

    def feed(self, read: bytes) -> int:
        """How many events begin in this read."""
        begun = read.count(_MARK) + (self._edge + read[:_EDGE]).count(_MARK)
        self._edge = read[-_EDGE:] if len(read) >= _EDGE else (self._edge + read)[-_EDGE:]
        self._tail.append(read)
        self._kept_bytes += len(read)
        while self._kept_bytes - len(self._tail[0]) >= _TAIL_BYTES:
            self._kept_bytes -= len(self._tail.popleft())
        return begun

    def ending(self) -> "Ending":
        """What the last events say."""
        return _ending(b"".join(self._tail))


@dataclass(frozen=True, slots=True)
class Opening:
    """What a stream's first events bring: a token after `silent` events without one, or `failure`."""

    silent: int = 0
    failure: str = ""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a stream ended: `silent` events after its last token, the engine's count, and if it was cut."""

    silent: int = 0
    completion_tokens: int | None = None
    cut: bool = False


def opening(begun: bytes) -> Opening | None:
    """The opening in the bytes so far; None while they hold no whole event that decides it."""
    for silent, text in enumerate(_whole_events(begun)):
        if text == _DONE:
            return Opening(silent, "abort")
        event = _parsed(text)
        if "error" in event:
            return Opening(silent, "error")
        if _is_abort(event):
            return Opening(silent, "abort")
        if _has_token(event):
            return Opening(silent)
    return None


def error_event(message: str, status: int) -> bytes:
    """The event that tells a user of a stream that it broke; clients of OpenAI's API raise on it."""
    error = {"message": message, "type": "InternalServerError", "param": None, "code": status}
    return b"data: " + json.dumps({"error": error}).encode() + b"\n\n"


def _ending(tail: bytes) -> Ending:
    silent, tokens, cut = 0, None, False
    for text in reversed(list(_whole_events(tail))):
        event = {} if text == _DONE else _parsed(text)
        tokens = tokens if tokens is not None else _completion_tokens(event)
        cut = cut or "error" in event or _finish_reason(event) == "abort"
        if _has_token(event) and not _is_abort(event):
            break
        silent += 1
    return Ending(silent, tokens, cut)


def _whole_events(stream: bytes) -> Iterator[str]:
    """Data of each event that is complete; a first one that is cut off does not start with `data:`."""
    lines = stream.replace(b"\r\n", b"\n").split(b"\n\n")[:-1]
    for line in lines:
        data = line.strip(b"\n")
        if data.startswith(b"data:"):
            yield data.removeprefix(b"data:").strip().decode(errors="replace")


def _parsed(text: str) -> Mapping[str, Any]:
    try:
        event = json.loads(text)
    except ValueError:
        return {}
    return event if isinstance(event, dict) else {}


def _choice(event: Mapping[str, Any]) -> Mapping[str, Any]:
    choices = event.get("choices")
    return choices[0] if choices else {}


def _finish_reason(event: Mapping[str, Any]) -> str | None:
    reason: str | None = _choice(event).get("finish_reason")
    return reason


def _has_token(event: Mapping[str, Any]) -> bool:
    """Every event with a choice is a token, even of empty text, but a chat's first one that only says who speaks."""
    choice = _choice(event)
    delta = choice.get("delta") or {}
    only_role = "role" in delta and not any(delta.get(field) for field in _SPOKEN)
    return bool(choice) and not (only_role and choice.get("finish_reason") is None)


def _is_abort(event: Mapping[str, Any]) -> bool:
    """An end without a token, by an engine that is about to go."""
    choice = _choice(event)
    said = choice.get("text") or any((choice.get("delta") or {}).get(field) for field in _SPOKEN)
    return choice.get("finish_reason") == "abort" and not said


def _completion_tokens(event: Mapping[str, Any]) -> int | None:
    tokens: int | None = (event.get("usage") or {}).get("completion_tokens")
    return tokens
