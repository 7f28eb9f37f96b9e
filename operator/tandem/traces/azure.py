"""Azure LLM inference traces: CSV with TIMESTAMP, ContextTokens, GeneratedTokens.

    TIMESTAMP,ContextTokens,GeneratedTokens
    2023-11-16 18:15:46.6805900,374,44

(Azure/AzurePublicDataset, Patel et al., Splitwise, ISCA 2024.) The seventh digit of a second is dropped;
a time without a zone is UTC.
"""

import csv
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from tandem.traces.place import Place
from tandem.traces.request import TraceRequest

_COLUMNS = ("TIMESTAMP", "ContextTokens", "GeneratedTokens")


def requests(text: str, place: Place) -> Iterator[TraceRequest]:
    """The requests of a CSV file, arrivals in seconds since the first one it lists."""
    rows = csv.reader(text.splitlines())
    header = [column.strip() for column in next(rows)]
    place.check_columns(header, _COLUMNS)
    zero: datetime | None = None
    for values in rows:
        if values:
            here = Place(place.field, place.file, rows.line_num)
            row = dict(zip(header, values, strict=False))
            moment = _moment(row.get("TIMESTAMP", ""), here)
            zero = zero or moment
            yield _request(row, (moment - zero).total_seconds(), here)


def _request(row: Mapping[str, str], arrival_s: float, here: Place) -> TraceRequest:
    counts = {column: _whole(row.get(column)) for column in _COLUMNS[1:]}
    return TraceRequest(
        arrival_s=arrival_s,
        input_tokens=here.tokens(counts, "ContextTokens"),
        output_tokens=here.tokens(counts, "GeneratedTokens"),
    )


def _whole(text: str | None) -> int | str | None:
    """The number a cell holds, or the cell itself where it holds none."""
    try:
        return int(text) if text is not None else None
    except ValueError:
        return text


def _moment(text: str, here: Place) -> datetime:
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise here.error("TIMESTAMP", text, "a time such as 2023-11-16 18:15:46.6805900") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
