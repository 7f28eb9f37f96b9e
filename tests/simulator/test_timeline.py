"""A run over time as Parquet: what stands in each row, by hand."""

from pathlib import Path

import pytest
from pyarrow import parquet
from tests.fakes.simulated import requests, scenario, scripted

from tandem.api.role import Role
from tandem.simulator import timeline
from tandem.simulator.result import Result
from tandem.simulator.run import simulate

COLUMNS = [
    "t_s",
    "role",
    "asked",
    "ready",
    "starting",
    "draining",
    "arrivals",
    "queued_requests",
    "attainment",
    "reason",
]
# Two in time, then a burst in which each prompt takes 0.91 s of the one prefill pod.
TRACE = requests(
    (0, 100, 5), (5_000, 100, 5), *((49_000, 900, 5) for _ in range(10)), (90_000, 100, 5)
)


@pytest.fixture
def result() -> Result:
    script = [(50.0, Role.DECODE, 2), (80.0, Role.DECODE, 1)]
    return simulate(scenario(TRACE, planner=scripted(script), lead_time_s=20.0))


def rows(folder: Path, result: Result) -> list[dict[str, object]]:
    path = folder / "timeline.parquet"
    timeline.write(path, result)
    table = parquet.read_table(path)
    assert table.column_names == COLUMNS
    found: list[dict[str, object]] = table.to_pylist()
    return found


def at(told: list[dict[str, object]], role: str, *names: str) -> dict[object, tuple[object, ...]]:
    """Some columns of a role, by time."""
    return {row["t_s"]: tuple(row[name] for name in names) for row in told if row["role"] == role}


def test_load_at_each_tick(tmp_path: Path, result: Result) -> None:
    """At 50 s the second prompt of the burst is prefilled and eight wait; only the first is in time."""
    load = at(rows(tmp_path, result), "prefill", "arrivals", "queued_requests", "attainment")
    assert load[0.0] == (1, 0, 1.0)
    assert load[5.0] == (1, 0, 1.0)
    assert load[10.0] == (0, 0, 1.0)
    assert load[50.0] == (10, 8, pytest.approx(3 / 12))
    assert load[80.0] == (0, 0, pytest.approx(1 / 10))
    assert load[90.0] == (1, 0, pytest.approx(2 / 11))
    assert sum(int(str(arrivals)) for arrivals, *_ in load.values()) == 13


def test_nothing_came_is_not_nothing_met(tmp_path: Path) -> None:
    quiet = simulate(scenario(requests((0, 100, 5), (90_000, 100, 5))))
    assert at(rows(tmp_path, quiet), "decode", "attainment")[85.0] == (None,)


def test_targets_have_their_reason(tmp_path: Path, result: Result) -> None:
    told = rows(tmp_path, result)
    decode = at(told, "decode", "asked", "reason")
    said = "the script says so"
    assert [decode[t] for t in (45.0, 50.0, 75.0, 80.0)] == [
        (1, None),
        (2, said),
        (2, said),
        (1, said),
    ]
    assert set(at(told, "prefill", "asked", "reason").values()) == {(1, None)}


def test_pods_are_told_as_they_start_and_drain(tmp_path: Path, result: Result) -> None:
    """Asked at 50 s, Ready at 70 s; told to go at 80 s, when it has nothing left to do."""
    decode = at(rows(tmp_path, result), "decode", "asked", "ready", "starting", "draining")
    told = [(1, 1, 0, 0)] * 10 + [(2, 1, 1, 0)] * 4 + [(2, 2, 0, 0)] * 2 + [(1, 1, 0, 0)] * 3
    assert list(decode.values()) == told
    assert list(decode) == [5.0 * tick for tick in range(19)]


def test_rows_are_in_the_order_of_time(tmp_path: Path, result: Result) -> None:
    times = [float(str(row["t_s"])) for row in rows(tmp_path, result)]
    assert times == sorted(times)


def test_a_folder_that_is_not_there_is_an_os_error(tmp_path: Path, result: Result) -> None:
    with pytest.raises(OSError, match="absent"):
        timeline.write(tmp_path / "absent" / "timeline.parquet", result)
