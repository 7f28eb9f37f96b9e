"""Parquet traces: columns t_ms, input_tokens, output_tokens; other columns are not read.

pyarrow is imported only when a Parquet trace is read: it is an extra, and takes half a second.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from tandem.errors import InvalidInputError
from tandem.traces.place import TOKENS, Place
from tandem.traces.request import TraceRequest

if TYPE_CHECKING:
    import pyarrow as pa

MAGIC = b"PAR1"
_COLUMNS = ("t_ms", "input_tokens", "output_tokens")


def requests(content: bytes, place: Place) -> Iterator[TraceRequest]:
    """The requests of a Parquet file; a "line" of an error is a row, counted from 1."""
    table = _table(content, place)
    times_ms, inputs, outputs = (_values(table, column, place) for column in _COLUMNS)
    for column, values in (("input_tokens", inputs), ("output_tokens", outputs)):
        _check_tokens(column, values, place)
    rows = zip((times_ms / 1000).tolist(), inputs.tolist(), outputs.tolist(), strict=True)
    for arrival_s, input_tokens, output_tokens in rows:
        yield TraceRequest(
            arrival_s=arrival_s, input_tokens=input_tokens, output_tokens=output_tokens
        )


def _table(content: bytes, place: Place) -> "pa.Table":
    try:
        import pyarrow as pa  # noqa: PLC0415 - see the module's text
        from pyarrow import parquet  # noqa: PLC0415
    except ImportError:
        needs = "a CSV or JSONL trace, or pip install 'tandem-llm[sim]' for Parquet"
        raise InvalidInputError(place.field, place.file, needs) from None
    try:
        file = parquet.ParquetFile(pa.BufferReader(content))
        found = file.schema_arrow.names
        place.check_columns(found, _COLUMNS, found)
        return file.read(columns=list(_COLUMNS))
    except pa.ArrowException as error:
        what = str(error).splitlines()[0]
        raise InvalidInputError(f"{place.field} {place.file}", what, "a Parquet file") from None


def _values(table: "pa.Table", column: str, place: Place) -> np.ndarray:
    kind = table.schema.field(column).type
    values = table.column(column).to_numpy()
    if not np.issubdtype(values.dtype, np.number) or not np.isfinite(values).all():
        bad = next((i for i, v in enumerate(values.tolist(), 1) if not _finite(v)), 1)
        here = Place(place.field, place.file, bad)
        raise here.error(column, f"{values.tolist()[bad - 1]} ({kind})", "a finite number")
    return values


def _finite(value: object) -> bool:
    return isinstance(value, int | float) and bool(np.isfinite(value))


def _check_tokens(column: str, values: np.ndarray, place: Place) -> None:
    bad = np.flatnonzero((values < 1) | (values != np.floor(values)))
    if bad.size:
        here = Place(place.field, place.file, int(bad[0]) + 1)
        raise here.error(column, values[bad[0]].item(), TOKENS)
