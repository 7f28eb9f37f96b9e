"""Rows of a table file: CSV, gzipped or not, or Parquet; mistakes name file, row, column and value.

pyarrow is imported only when a Parquet file is read: it is an extra, and takes half a second.
"""

import csv
import gzip
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tandem.errors import InvalidInputError

_PARQUET = ".parquet"
FILES = (".csv", ".gz", _PARQUET)  # what names a table file


@dataclass(frozen=True, slots=True)
class Row:
    """One row, and where it stands; `where` begins with the flag that named the file."""

    where: str
    values: dict[str, Any]

    def has(self, columns: Iterable[str]) -> bool:
        """Whether it has all of these columns."""
        return all(column in self.values for column in columns)

    def text(self, column: str) -> str:
        """What a column holds, as text; nothing where there is no such column."""
        return str(self.values.get(column, ""))

    def number(self, column: str) -> float:
        """A number; whether it may be is for the table to say."""
        value = self.values[column]
        try:
            return float(value)
        except (TypeError, ValueError):
            raise self.error(column, value, "a number") from None

    def whole(self, column: str) -> int:
        """A whole number."""
        number = self.number(column)
        if number != number // 1:  # NaN and infinity too
            raise self.error(column, self.values[column], "a whole number")
        return int(number)

    def error(self, column: str, value: object, allowed: str) -> InvalidInputError:
        """The error that names file, row, column, value and what is allowed."""
        return InvalidInputError(f"{self.where}, column {column}", value, allowed)


def rows(path: Path, field: str) -> list[Row]:
    """The rows of a file, counted from 1; `field` names the flag that gave it in errors."""
    read = _parquet if path.suffix == _PARQUET else _csv
    try:
        found = [
            Row(f"{field} {path.name}, row {number}", values)
            for number, values in enumerate(read(path, field), 1)
        ]
    except OSError as error:
        why = error.strerror or str(error)
        raise InvalidInputError(field, str(path), f"a file that can be read ({why})") from None
    except (EOFError, zlib.error, UnicodeDecodeError, csv.Error) as error:
        raise InvalidInputError(field, str(path), f"a CSV file ({error})") from None
    if not found:
        raise InvalidInputError(f"{field} {path.name}", "no rows", "one row a point")
    return found


def _csv(path: Path, _: str) -> Iterator[dict[str, Any]]:
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8-sig", newline="") as lines:
        yield from csv.DictReader(lines)


def _parquet(path: Path, field: str) -> list[dict[str, Any]]:
    try:
        import pyarrow as pa  # noqa: PLC0415 - see the module's text
        from pyarrow import parquet  # noqa: PLC0415
    except ImportError:
        needs = "a CSV file, or pip install 'tandem-llm[sim]' for Parquet"
        raise InvalidInputError(field, str(path), needs) from None
    try:
        return parquet.ParquetFile(path).read().to_pylist()
    except pa.ArrowException as error:
        what = str(error).splitlines()[0]
        raise InvalidInputError(f"{field} {path.name}", what, "a Parquet file") from None
