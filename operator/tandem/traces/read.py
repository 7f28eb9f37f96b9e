"""Reads a trace of any format we know, told by its content and not by its name.

A trace's time starts at 0 with its first arrival, whatever zero the file counts from. Lines out of
order are sorted by time. A `.gz` file is read as it is.
"""

import gzip
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from tandem.errors import InvalidInputError
from tandem.traces import azure, jsonl, parquet, sessions
from tandem.traces.model import Trace, from_first_arrival
from tandem.traces.place import Place
from tandem.traces.request import TraceRequest

_Reader = Callable[[str, Place], Iterator[TraceRequest]]
_GZIP_MAGIC = b"\x1f\x8b"
FORMATS = (
    "a trace: Azure CSV (TIMESTAMP, ContextTokens, GeneratedTokens), JSONL (timestamp, input_length, "
    "output_length), agent-session JSONL, or Parquet (t_ms, input_tokens, output_tokens)"
)


def read_trace(path: Path, field: str = "--trace") -> Trace:
    """The trace in a file; `field` names the flag that gave the file in errors."""
    place = Place(field, path.name, 1)
    content = _content(path, field)
    if content.startswith(parquet.MAGIC):
        requests = parquet.requests(content, place)
    else:
        text = _text(content, path, field)
        requests = _format(text, path, field)(text, place)
    trace = from_first_arrival(path.name, requests)
    if not trace.requests:
        raise InvalidInputError(f"{field} {path.name}", "0 requests", "at least one request")
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


def _format(text: str, path: Path, field: str) -> _Reader:
    """The reader of a text's format, which its first line tells."""
    first = text.lstrip().split("\n", 1)[0]
    if not first:
        raise InvalidInputError(f"{field} {path.name}", "an empty file", "at least one request")
    if first.startswith("{"):
        return sessions.requests if sessions.MARK in first else jsonl.requests
    if "," in first:
        return azure.requests
    raise InvalidInputError(f"{field} {path.name}", first[:60], FORMATS)
