"""Parquet traces: columns t_ms, input_tokens, output_tokens; other columns are not read, but for one.

`encode_tokens`, or `image_tokens` as ServeGen calls them, are those of the input that an encoder makes.

`span_ms` among the file's metadata says how long was recorded, as in canonical JSONL. pyarrow is imported
only when a Parquet trace is read or written: it is an extra, and takes half a second.
"""

from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from tandem.errors import InvalidInputError
from tandem.traces.columns import Columns, collector_at_rest, columns, requests
from tandem.traces.model import Recorded, Trace
from tandem.traces.place import ENDLESS_MS, MOST_TOKENS, TOKENS, Place

if TYPE_CHECKING:
    import pyarrow as pa

MAGIC = b"PAR1"
CARRIES = ("encode_length", "span_ms")
_COLUMNS = ("t_ms", "input_tokens", "output_tokens")
_ENCODED = ("encode_tokens", "image_tokens")  # the first that is there is read
_SPAN = b"span_ms"


def recorded(content: bytes, place: Place) -> Recorded:
    """The requests of a Parquet file; a "line" of an error is a row, counted from 1."""
    table = _table(content, place)
    times_ms, inputs, outputs = (_values(table, column, place) for column in _COLUMNS)
    _check(times_ms, np.abs(times_ms) < ENDLESS_MS, "t_ms", "a time within 30 million years", place)
    for column, values in (("input_tokens", inputs), ("output_tokens", outputs)):
        whole = (values >= 1) & (values <= MOST_TOKENS) & (values == np.floor(values))
        _check(values, whole, column, TOKENS, place)
    span_s, encoded = _span_s(table, place), _encoded(table, inputs, place)
    arrival_s = times_ms / 1000
    if span_s is None and len(arrival_s):
        arrival_s = (times_ms - times_ms.min()) / 1000
    found = Columns(
        arrival_s=arrival_s,
        input_tokens=inputs.astype(np.int64),
        output_tokens=outputs.astype(np.int64),
    )
    read = requests(found)
    if encoded is not None:
        with collector_at_rest():
            pairs = zip(read, encoded.astype(np.int64).tolist(), strict=True)
            read = [replace(r, encode_tokens=tokens) if tokens else r for r, tokens in pairs]
    return Recorded(read, span_s)


def render(trace: Trace, field: str) -> Iterator[bytes]:
    """The bytes of a file that reads back as arrivals and lengths of the trace."""
    needs = "a name that ends with .jsonl or .csv, or pip install 'tandem-llm[sim]'"
    arrow, parquet = _pyarrow(field, trace.name, needs)
    found = columns(trace)
    values = (found.arrival_s * 1000, found.input_tokens, found.output_tokens)
    named = dict(zip(_COLUMNS, values, strict=True))
    encoded = np.array([request.encode_tokens for request in trace.requests], dtype=np.int64)
    table = arrow.table(named | ({_ENCODED[0]: encoded} if encoded.any() else {}))
    metadata = {_SPAN: repr(trace.duration_s * 1000).encode()}
    into = BytesIO()
    parquet.write_table(table.replace_schema_metadata(metadata), into, compression="zstd")
    yield into.getvalue()


def _pyarrow(field: str, value: str, needs: str) -> tuple[ModuleType, ModuleType]:
    try:
        import pyarrow as pa  # noqa: PLC0415 - see the module's text
        from pyarrow import parquet  # noqa: PLC0415
    except ImportError:
        raise InvalidInputError(field, value, needs) from None
    return pa, parquet


def _table(content: bytes, place: Place) -> "pa.Table":
    needs = "a CSV or JSONL trace, or pip install 'tandem-llm[sim]' for Parquet"
    arrow, parquet = _pyarrow(place.field, place.file, needs)
    try:
        file = parquet.ParquetFile(arrow.BufferReader(content))
        found = file.schema_arrow.names
        place.check_columns(found, _COLUMNS, found)
        encoded = [name for name in _ENCODED if name in found]
        table: pa.Table = file.read(columns=[*_COLUMNS, *encoded[:1]])
    except arrow.ArrowException as error:
        what = str(error).splitlines()[0]
        raise InvalidInputError(f"{place.field} {place.file}", what, "a Parquet file") from None
    return table


def _values(table: "pa.Table", column: str, place: Place) -> np.ndarray:
    kind = table.schema.field(column).type
    values = table.column(column).to_numpy()
    if not np.issubdtype(values.dtype, np.number) or not np.isfinite(values).all():
        bad = next((i for i, v in enumerate(values.tolist(), 1) if not _finite(v)), 1)
        here = Place(place.field, place.file, bad)
        raise here.error(column, f"{values.tolist()[bad - 1]} ({kind})", "a finite number")
    return values


def _encoded(table: "pa.Table", inputs: np.ndarray, place: Place) -> np.ndarray | None:
    """Tokens that an encoder makes, where the file tells them."""
    column = next((name for name in _ENCODED if name in table.schema.names), None)
    if column is None:
        return None
    values = _values(table, column, place)
    part = (values >= 0) & (values <= inputs) & (values == np.floor(values))
    _check(values, part, column, "a whole number of tokens, at most input_tokens", place)
    return values


def _finite(value: object) -> bool:
    return isinstance(value, int | float) and bool(np.isfinite(value))


def _check(values: np.ndarray, allowed: np.ndarray, column: str, what: str, place: Place) -> None:
    bad = np.flatnonzero(~allowed)
    if bad.size:
        here = Place(place.field, place.file, int(bad[0]) + 1)
        raise here.error(column, values[bad[0]].item(), what)


def _span_s(table: "pa.Table", place: Place) -> float | None:
    text = (table.schema.metadata or {}).get(_SPAN)
    if text is None:
        return None
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    return place.milliseconds({"span_ms": value}, "span_ms", least=0) / 1000
