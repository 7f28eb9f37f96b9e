"""A run over time as a Parquet file: pods of each role, load, and why the target is what it is.

A row is one role at one tick, the policy's interval apart. `arrivals`, `queued_requests` and `attainment`
are the fleet's, so they stand in the rows of both roles.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tandem.api.role import Role
from tandem.errors import InvalidInputError
from tandem.simulator.pages.columns import REFUSED, Floats, Requests, duration_s, pods, requests
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

    came, interval_s = requests(result), result.scenario.spec.interval_s
    t_s = np.arange(0.0, duration_s(result) + interval_s, interval_s)
    words = pa.dictionary(pa.int32(), pa.string())
    for role, rows in pods(result).items():
        then = _until(rows.t_s, t_s) - 1
        yield {
            "t_s": t_s,
            "role": pa.array([role.value] * len(t_s)).cast(words),
            **{name: getattr(rows, name)[then].astype(np.int64) for name in _COUNTS},
            "arrivals": np.diff(_until(came.arrival_s, t_s), prepend=0),
            "queued_requests": _queued(came, t_s),
            "attainment": pa.array(_attainment(result, came, t_s), from_pandas=True),
            "reason": pa.array(_reasons(result, role, t_s)).cast(words),
        }


def _queued(came: Requests, t_s: Floats) -> Ints:
    """Requests that wait for their first prefill; what is refused never waits."""
    waits = came.outcome != REFUSED
    came_s = (came.arrival_s + np.nan_to_num(came.encode_s))[waits]
    return _until(came_s, t_s) - _until(came_s + came.queue_s[waits], t_s)


def _attainment(result: Result, came: Requests, t_s: Floats) -> Floats:
    """Of the arrivals of the last minute, the share that met both targets, as it turned out."""
    met_s = came.arrival_s[verdicts(came, result.scenario.spec.slo) == MET]
    met, all_of_them = _last(met_s, t_s), _last(came.arrival_s, t_s)
    nothing = np.full(len(t_s), np.nan)
    return np.asarray(np.divide(met, all_of_them, out=nothing, where=all_of_them > 0))


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
