"""Our canonical JSONL, which Mooncake's is a part of: one request a line.

    {"timestamp": 40, "input_length": 23769, "output_length": 3, "hash_ids": [151, 152]}
    {"timestamp": 90, "input_length": 700, "output_length": 12, "session": "a", "think_ms": 1500}

`timestamp` is in milliseconds. Optional: `hash_ids` (prefix-chained KV blocks), `class`, `encode_length`
(tokens of the input that an encoder makes of images and the like), and for closed
loops `session` and `think_ms`: the first call of a session comes at its timestamp, each later one
`think_ms` after the end of the one before it. (Mooncake: Qin et al., FAST 2025.)

A `span_ms` in the first line says how long was recorded: timestamps count from the record's begin then,
so that a quiet time before the first request and after the last one is kept.
"""

import json
from collections.abc import Iterator, Mapping
from io import StringIO
from typing import Any

from tandem.traces.model import Recorded, Trace
from tandem.traces.place import Place
from tandem.traces.request import TraceRequest

_NEEDED = ("timestamp", "input_length", "output_length")
_OPTIONAL = ("hash_ids", "session", "think_ms", "class", "encode_length")
_SPAN = "span_ms"
CARRIES = (*_OPTIONAL, _SPAN)


def rows(text: str, place: Place) -> Iterator[tuple[Mapping[str, Any], Place]]:
    """Each line's object with its place."""
    for line, content in enumerate(StringIO(text), start=1):
        if content.strip():
            here = Place(place.field, place.file, line)
            yield _object(content, here), here


def recorded(text: str, place: Place) -> Recorded:
    """The requests of a canonical file, and its span where its first line tells it."""
    first, here = next(rows(text, place))
    span_s = here.milliseconds(first, _SPAN, least=0) / 1000 if _SPAN in first else None
    return Recorded(_requests(text, place, here.line), span_s)


def _requests(text: str, place: Place, first_line: int) -> Iterator[TraceRequest]:
    for row, here in rows(text, place):
        here.check_columns(row, _NEEDED, CARRIES if here.line == first_line else _OPTIONAL)
        yield TraceRequest(
            arrival_s=here.milliseconds(row, "timestamp") / 1000,
            input_tokens=here.tokens(row, "input_length"),
            output_tokens=here.tokens(row, "output_length"),
            hash_ids=here.hashes(row, "hash_ids") if "hash_ids" in row else (),
            session=here.text(row, "session") if "session" in row else "",
            think_s=here.milliseconds(row, "think_ms", least=0) / 1000
            if "think_ms" in row
            else 0.0,
            class_name=here.text(row, "class") if "class" in row else "",
            encode_tokens=here.part(row, "encode_length", "input_length")
            if "encode_length" in row
            else 0,
        )


def render(trace: Trace) -> Iterator[bytes]:
    """The lines of a file that reads back as the trace."""
    last_s = trace.requests[-1].arrival_s
    starts_and_ends = trace.requests[0].arrival_s == 0 and trace.duration_s == last_s
    first = {} if starts_and_ends else {_SPAN: _milliseconds(trace.duration_s)}
    for request in trace.requests:
        yield f"{json.dumps(_row(request) | first)}\n".encode()
        first = {}


def _row(request: TraceRequest) -> dict[str, Any]:
    row: dict[str, Any] = {
        "timestamp": _milliseconds(request.arrival_s),
        "input_length": request.input_tokens,
        "output_length": request.output_tokens,
    }
    think_ms = _milliseconds(request.think_s)
    tags = (request.hash_ids, request.session, think_ms, request.class_name)
    optional = (*tags, request.encode_tokens)
    return row | {name: value for name, value in zip(_OPTIONAL, optional, strict=True) if value}


def _milliseconds(seconds: float) -> float:
    """To the picosecond, which takes off what the conversion adds; whole numbers without their ".0"."""
    value = round(seconds * 1000, 9)
    return int(value) if value.is_integer() else value


def _object(content: str, here: Place) -> Mapping[str, Any]:
    try:
        row = json.loads(content)
    except ValueError:
        row = None
    if not isinstance(row, dict):
        raise here.error("(whole line)", content.rstrip()[:60], "a JSON object")
    return row
