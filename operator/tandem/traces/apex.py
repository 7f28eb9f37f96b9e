"""APEX's traces: JSONL with StartTimeOffset, ContextTokens, GeneratedTokens.

    {"StartTimeOffset": 1250000000, "ContextTokens": 374, "GeneratedTokens": 44}

`StartTimeOffset` is in nanoseconds from the first request (microsoft/apex_plus, README and
apex_plus/simulator/trace.py; Lin et al., arXiv 2411.17651). Its CSV is Azure's.
"""

import json
from collections.abc import Iterator

from tandem.traces import jsonl
from tandem.traces.model import Trace
from tandem.traces.place import Place
from tandem.traces.request import TraceRequest

MARK = '"StartTimeOffset"'  # in the first line of a file, and of no other format
CARRIES = ()
_COLUMNS = ("StartTimeOffset", "ContextTokens", "GeneratedTokens")
_NS = 1e9
_ENDLESS_NS = 1e24


def requests(text: str, place: Place) -> Iterator[TraceRequest]:
    """The requests of a file, arrivals in seconds."""
    for row, here in jsonl.rows(text, place):
        here.check_columns(row, _COLUMNS)
        offset = row["StartTimeOffset"]
        if type(offset) not in (int, float) or not -_ENDLESS_NS <= offset < _ENDLESS_NS:
            raise here.error("StartTimeOffset", offset, "a finite number of nanoseconds")
        yield TraceRequest(
            arrival_s=offset / _NS,
            input_tokens=here.tokens(row, "ContextTokens"),
            output_tokens=here.tokens(row, "GeneratedTokens"),
        )


def render(trace: Trace) -> Iterator[bytes]:
    """The lines of a file that APEX reads, offsets in whole nanoseconds."""
    for request in trace.requests:
        row = (round(request.arrival_s * _NS), request.input_tokens, request.output_tokens)
        yield f"{json.dumps(dict(zip(_COLUMNS, row, strict=True)))}\n".encode()
