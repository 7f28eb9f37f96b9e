"""Azure LLM inference traces: CSV with TIMESTAMP, ContextTokens, GeneratedTokens.

    TIMESTAMP,ContextTokens,GeneratedTokens
    2023-11-16 18:15:46.6805900,374,44

(Azure/AzurePublicDataset, Patel et al., Splitwise, ISCA 2024.) The seventh digit of a second is dropped;
a time without a zone is UTC.
"""

import csv
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta

from tandem.errors import InvalidInputError
from tandem.traces.model import Trace
from tandem.traces.place import Place
from tandem.traces.request import TraceRequest

_COLUMNS = ("TIMESTAMP", "ContextTokens", "GeneratedTokens")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)  # of a trace that tells no date
CARRIES = ()


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


def render(trace: Trace, field: str) -> Iterator[bytes]:
    """The lines of a file that reads back as arrivals, to the microsecond, and lengths of the trace."""
    yield f"{','.join(_COLUMNS)}\n".encode()
    for request in trace.requests:
        moment = _written(request.arrival_s, field)
        yield f"{moment},{request.input_tokens},{request.output_tokens}\n".encode()


def _written(arrival_s: float, field: str) -> str:
    try:
        moment = _EPOCH + timedelta(seconds=arrival_s)
    except OverflowError:
        allowed = "a format other than Azure's CSV, whose dates end with the year 9999"
        raise InvalidInputError(field, f"an arrival at {arrival_s:g} s", allowed) from None
    return f"{moment.replace(tzinfo=None).isoformat(sep=' ', timespec='microseconds')}0"


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
