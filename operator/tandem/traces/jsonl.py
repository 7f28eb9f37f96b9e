"""Our canonical JSONL, which Mooncake's is a part of: one request a line.

    {"timestamp": 40, "input_length": 23769, "output_length": 3, "hash_ids": [151, 152]}
    {"timestamp": 90, "input_length": 700, "output_length": 12, "session": "a", "think_ms": 1500}

`timestamp` is in milliseconds. Optional: `hash_ids` (prefix-chained KV blocks), `class`, and for closed
loops `session` and `think_ms`: the first call of a session comes at its timestamp, each later one
`think_ms` after the end of the one before it. (Mooncake: Qin et al., FAST 2025.)
"""

import gzip
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tandem.traces.model import Trace
from tandem.traces.place import Place
from tandem.traces.request import TraceRequest

_NEEDED = ("timestamp", "input_length", "output_length")
_OPTIONAL = ("hash_ids", "session", "think_ms", "class")


def rows(text: str, place: Place) -> Iterator[tuple[Mapping[str, Any], Place]]:
    """Each line's object with its place."""
    for line, content in enumerate(text.splitlines(), start=1):
        if content.strip():
            here = Place(place.field, place.file, line)
            yield _object(content, here), here


def requests(text: str, place: Place) -> Iterator[TraceRequest]:
    """The requests of a canonical file."""
    for row, here in rows(text, place):
        here.check_columns(row, _NEEDED, _OPTIONAL)
        yield TraceRequest(
            arrival_s=here.milliseconds(row, "timestamp") / 1000,
            input_tokens=here.tokens(row, "input_length"),
            output_tokens=here.tokens(row, "output_length"),
            hash_ids=here.hashes(row, "hash_ids"),
            session=here.text(row, "session"),
            think_s=here.milliseconds({"think_ms": 0, **row}, "think_ms", least=0) / 1000,
            class_name=here.text(row, "class"),
        )


def write(trace: Trace, path: Path) -> None:
    """Write a trace that `read_trace` gives back; compressed when the name ends with .gz."""
    lines = "".join(json.dumps(_row(request)) + "\n" for request in trace.requests).encode()
    path.write_bytes(gzip.compress(lines, mtime=0) if path.suffix == ".gz" else lines)


def _row(request: TraceRequest) -> dict[str, Any]:
    row: dict[str, Any] = {
        "timestamp": request.arrival_s * 1000,
        "input_length": request.input_tokens,
        "output_length": request.output_tokens,
    }
    optional = (request.hash_ids, request.session, request.think_s * 1000, request.class_name)
    return row | {name: value for name, value in zip(_OPTIONAL, optional, strict=True) if value}


def _object(content: str, here: Place) -> Mapping[str, Any]:
    try:
        row = json.loads(content)
    except ValueError:
        row = None
    if not isinstance(row, dict):
        raise here.error("(whole line)", content[:60], "a JSON object")
    return row
