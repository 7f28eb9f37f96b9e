"""A run over time as a Parquet file: pods of each role, load, and why the target is what it is.

A row is one role at one sample. `arrivals`, `queued_requests` and `attainment` are the fleet's, so they
stand in the rows of both roles.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tandem.api.role import Role
from tandem.errors import InvalidInputError
from tandem.simulator.pages.columns import REFUSED, Floats, Pods, Requests, pods, requests
from tandem.simulator.pages.verdicts import MET, verdicts
from tandem.simulator.result import Result
from tandem.whole_file import written_whole

Ints = NDArray[np.int64]

_WINDOW_S = 60.0  # of attainment
_COUNTS = ("asked", "ready", "starting", "draining")


def write(path: Path, result: Result) -> None:
    """Write the file whole or not at all.

    Raises:
        InvalidInputError: pyarrow is not installed.
        OSError: the file can't be written.

    """
    try:
        import pyarrow as pa  # noqa: PLC0415 - half a second and 100 MB, for those who ask
        from pyarrow import parquet  # noqa: PLC0415
    except ImportError:
        raise InvalidInputError("--timeline", str(path), "used with tandem-llm[sim]") from None
    parts = [pa.table(part) for part in _parts(result)]
    table = pa.concat_tables(parts).sort_by([("t_s", "ascending")])
    with written_whole(path) as stream:
        parquet.write_table(table, stream, compression="zstd")


def _parts(result: Result) -> Iterator[dict[str, Any]]:
    """Columns of each role; null where nothing is known."""
    import pyarrow as pa  # noqa: PLC0415 - see above

    columns = requests(result)
    for role, rows in pods(result).items():
        words = pa.dictionary(pa.int32(), pa.string())
        yield {
            "t_s": rows.t_s,
            "role": pa.array([role.value] * len(rows.t_s)).cast(words),
            **{
                name: pa.array(getattr(rows, name), pa.int64(), from_pandas=True)
                for name in _COUNTS
            },
            "arrivals": _since(columns.arrival_s, rows.t_s),
            "queued_requests": _queued(columns, rows.t_s),
            "attainment": pa.array(_attainment(result, columns, rows), from_pandas=True),
            "reason": pa.array(_reasons(result, role, rows.t_s)).cast(words),
        }


def _since(arrival_s: Floats, t_s: Floats) -> Ints:
    """Requests that came since the sample before."""
    return np.diff(_until(arrival_s, t_s), prepend=0)


def _queued(columns: Requests, t_s: Floats) -> Ints:
    """Requests that wait for their first prefill; what is refused never waits."""
    waits = columns.outcome != REFUSED
    began_s = (columns.arrival_s + columns.queue_s)[waits]
    return _until(columns.arrival_s[waits], t_s) - _until(began_s, t_s)


def _attainment(result: Result, columns: Requests, rows: Pods) -> Floats:
    """Of the arrivals of the last minute, the share that met both targets, as it turned out."""
    met = columns.arrival_s[verdicts(columns, result.scenario.spec.slo) == MET]
    came = _last(columns.arrival_s, rows.t_s)
    nothing = np.full(len(came), np.nan)
    return np.asarray(np.divide(_last(met, rows.t_s), came, out=nothing, where=came > 0))


def _last(events_s: Floats, t_s: Floats) -> Ints:
    return _until(events_s, t_s) - _until(events_s, t_s - _WINDOW_S)


def _until(events_s: Floats, t_s: Floats) -> Ints:
    """How many of the events had been at each time; what never was (NaN) sorts last."""
    return np.asarray(np.searchsorted(np.sort(events_s), t_s, side="right"), dtype=np.int64)


def _reasons(result: Result, role: Role, t_s: Floats) -> list[str | None]:
    """Why the target that stands at each time was set; none of the fleet as it started."""
    changes = [change for change in result.changes if change.role is role]
    last = np.searchsorted([change.t_s for change in changes], t_s, side="right") - 1
    return [changes[index].reason if index >= 0 else None for index in last]
