"""Writes a trace in the format that the file's name asks for; what is written reads back.

JSONL carries all of a trace, Parquet arrivals, lengths, encode lengths and the recorded span, Azure's CSV
and APEX's JSONL arrivals and lengths.
"""

import gzip
from collections.abc import Callable, Iterator, Mapping
from io import BufferedWriter
from pathlib import Path
from typing import NamedTuple

from tandem.errors import InvalidInputError
from tandem.traces import apex, azure, jsonl, parquet
from tandem.traces.model import Trace
from tandem.traces.names import ENDINGS, FILE_NAMES
from tandem.whole_file import written_whole


class _Format(NamedTuple):
    render: Callable[[Trace, str], Iterator[bytes]]
    carries: tuple[str, ...]  # beyond arrivals and lengths


_FORMATS: Mapping[str, _Format] = dict(
    zip(
        ENDINGS,
        (
            _Format(lambda trace, _: jsonl.render(trace), jsonl.CARRIES),
            _Format(azure.render, azure.CARRIES),
            _Format(parquet.render, parquet.CARRIES),
            _Format(lambda trace, _: apex.render(trace), apex.CARRIES),
        ),
        strict=True,
    )
)


def write_trace(trace: Trace, path: Path, field: str = "--out") -> tuple[str, ...]:
    """Write the file, whole or not at all, and name what of this trace its format can't carry.

    Raises:
        InvalidInputError: no format has such a name, or the format can't hold the trace's times.
        OSError: the file can't be written; it names `path`.

    """
    form = _format(path, field)
    chunks = form.render(trace, field)
    with written_whole(path) as raw:
        if path.suffix == ".gz":
            with gzip.GzipFile("", "wb", compresslevel=6, fileobj=raw, mtime=0) as packed:
                _copy(chunks, BufferedWriter(packed))
        else:
            raw.writelines(chunks)
    return tuple(name for name in _used(trace) if name not in form.carries)


def check_name(path: Path, field: str = "--out") -> None:
    """Refuse a name that no format has, before any work is done."""
    _format(path, field)


def _copy(chunks: Iterator[bytes], into: BufferedWriter) -> None:
    into.writelines(chunks)
    into.flush()
    into.detach()


def _format(path: Path, field: str) -> _Format:
    name = path.with_suffix("") if path.suffix == ".gz" else path
    for suffix in ("".join(name.suffixes[-2:]), name.suffix):  # .apex.jsonl before .jsonl
        if suffix in _FORMATS:
            return _FORMATS[suffix]
    raise InvalidInputError(field, str(path), FILE_NAMES)


def _used(trace: Trace) -> Iterator[str]:
    """What the trace has beyond arrivals and lengths, by its names in canonical JSONL."""
    requests = trace.requests
    if any(request.hash_ids for request in requests):
        yield "hash_ids"
    if any(request.session for request in requests):
        yield "session"
    if any(request.think_s for request in requests):
        yield "think_ms"
    if any(request.class_name for request in requests):
        yield "class"
    if any(request.encode_tokens for request in requests):
        yield "encode_length"
    if requests[0].arrival_s or trace.duration_s > requests[-1].arrival_s:
        yield "span_ms"
