"""Reads a trace of any format we know, told by its content and not by its name.

A trace's time starts at 0 with its first arrival, whatever zero the file counts from, unless the file
tells the span that was recorded. Lines out of order are sorted by time. A `.gz` file is read as it is.
"""

import gzip
import zlib
from pathlib import Path

from tandem.errors import InvalidInputError
from tandem.traces import apex, azure, jsonl, parquet, sessions
from tandem.traces.columns import collector_at_rest
from tandem.traces.model import Recorded, Trace, from_first_arrival, over
from tandem.traces.place import Place

_GZIP_MAGIC = b"\x1f\x8b"
FORMATS = (
    "a trace: Azure CSV (TIMESTAMP, ContextTokens, GeneratedTokens), JSONL (timestamp, input_length, "
    "output_length), agent-session JSONL, APEX JSONL (StartTimeOffset, ContextTokens, GeneratedTokens), "
    "or Parquet (t_ms, input_tokens, output_tokens)"
)


def read_trace(path: Path, field: str = "--trace") -> Trace:
    """The trace in a file; `field` names the flag that gave the file in errors."""
    place = Place(field, path.name, 1)
    content = _content(path, field)
    with collector_at_rest():
        if content.startswith(parquet.MAGIC):
            found = parquet.recorded(content, place)
        else:
            found = _recorded(_text(content, path, field), place)
        trace = _trace(found, place)
    if not trace.requests:
        raise InvalidInputError(f"{field} {path.name}", "0 requests", "at least one request")
    return trace


def _trace(found: Recorded, place: Place) -> Trace:
    if found.span_s is None:
        return from_first_arrival(place.file, found.requests)
    trace = over(place.file, found.requests, found.span_s)
    if trace.requests and (trace.requests[0].arrival_s < 0 or trace.duration_s > trace.span_s):
        allowed = "a time that holds all arrivals, counted from 0"
        raise place.error("span_ms", found.span_s * 1000, allowed)
    return trace


def _content(path: Path, field: str) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise InvalidInputError(field, str(path), f"a file that can be read ({why})") from None
    if path.suffix != ".gz" and not content.startswith(_GZIP_MAGIC):
        return content
    try:
        return gzip.decompress(content)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InvalidInputError(field, str(path), f"a whole gzip file ({error})") from None


def _text(content: bytes, path: Path, field: str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InvalidInputError(field, str(path), FORMATS) from None


def _recorded(text: str, place: Place) -> Recorded:
    """What a text holds, by the reader of its format, which its first line tells."""
    first = text.lstrip().split("\n", 1)[0]
    if not first:
        raise InvalidInputError(
            f"{place.field} {place.file}", "an empty file", "at least one request"
        )
    if first.startswith("{"):
        if sessions.MARK in first:
            return Recorded(sessions.requests(text, place))
        if apex.MARK in first:
            return Recorded(apex.requests(text, place))
        return jsonl.recorded(text, place)
    if "," in first:
        return Recorded(azure.requests(text, place))
    raise InvalidInputError(f"{place.field} {place.file}", first[:60], FORMATS)
