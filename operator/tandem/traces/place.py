"""Where in a trace file a value stands, so that a mistake in it can be named in one line."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from tandem.errors import InvalidInputError

ENDLESS_MS = 1e18  # 30 million years
MOST_TOKENS = 10**9  # a thousand times the longest context; sums over a trace fit 64 bits
TOKENS = "a whole number of tokens, 1 or more and at most a thousand million"


@dataclass(frozen=True, slots=True)
class Place:
    """One line (or row) of a trace file; `field` is the flag that named the file."""

    field: str
    file: str
    line: int

    def error(self, column: str, value: object, allowed: str) -> InvalidInputError:
        """The error that names file, line, column, value and what is allowed."""
        return InvalidInputError(
            f"{self.field} {self.file}, line {self.line}, column {column}", value, allowed
        )

    def tokens(self, row: Mapping[str, Any], column: str, least: int = 1) -> int:
        """A count of tokens, `least` or more."""
        value = row.get(column)
        if type(value) is not int or not least <= value <= MOST_TOKENS:
            raise self.error(column, value, TOKENS)
        return value

    def part(self, row: Mapping[str, Any], column: str, of: str) -> int:
        """A count of tokens that are some, all or none of those of another column."""
        value, whole = row.get(column), self.tokens(row, of)
        if type(value) is not int or not 0 <= value <= whole:
            raise self.error(column, value, f"a whole number of tokens, at most {of} ({whole})")
        return value

    def milliseconds(
        self, row: Mapping[str, Any], column: str, least: float = -ENDLESS_MS
    ) -> float:
        """A finite time in milliseconds, `least` or more."""
        value: Any = row.get(column)
        if type(value) not in (int, float) or not least <= value < ENDLESS_MS:
            more = ", 0 or more" if least == 0 else ""
            raise self.error(column, value, f"a finite number of milliseconds{more}")
        return float(value)

    def text(self, row: Mapping[str, Any], column: str) -> str:
        """A string; a number is taken as its text, nothing as an empty one."""
        value = row.get(column, "")
        if type(value) not in (str, int):
            raise self.error(column, value, "a string")
        return str(value)

    def hashes(self, row: Mapping[str, Any], column: str) -> tuple[int, ...]:
        """Ids of KV blocks."""
        value = row.get(column, [])
        if type(value) is not list or not all(type(block) is int for block in value):
            raise self.error(column, value, "a list of whole numbers")
        return tuple(value)

    def check_columns(
        self, found: Collection[str], needed: Collection[str], optional: Collection[str] = ()
    ) -> None:
        """Refuse a column that is missing, and one that nobody knows: it may be a slip of the pen."""
        for column in needed:
            if column not in found:
                raise self.error(column, "missing", f"columns {', '.join(needed)}")
        for column in found:
            if column not in needed and column not in optional:
                known = ", ".join((*needed, *optional))
                raise self.error(column, "unknown", f"one of {known}")
