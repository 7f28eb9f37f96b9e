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


def test_targets_load_and_reasons_at_each_change(tmp_path: Path, result: Result) -> None:
    """At 50 s the second prompt of the burst is prefilled and eight wait; only the first is in time."""
    decode = {row["t_s"]: row for row in rows(tmp_path, result) if row["role"] == "decode"}
    start, up, down = decode[0.0], decode[50.0], decode[80.0]
    assert [row["asked"] for row in (start, up, down)] == [1, 2, 1]
    assert [row["reason"] for row in (start, up, down)] == [None, *["the script says so"] * 2]
    assert up["queued_requests"] == 8
    assert down["queued_requests"] == 0
    assert up["attainment"] == pytest.approx(3 / 12)
    assert down["attainment"] == pytest.approx(1 / 10)


def test_arrivals_add_up_until_the_last_row(tmp_path: Path, result: Result) -> None:
    counted = [row["arrivals"] for row in rows(tmp_path, result) if row["role"] == "decode"]
    assert counted[0] == 1
    assert sum(int(str(count)) for count in counted) == 12, "the thirteenth comes after it"


def test_rows_are_in_the_order_of_time(tmp_path: Path, result: Result) -> None:
    times = [float(str(row["t_s"])) for row in rows(tmp_path, result)]
    assert times == sorted(times)


def test_a_folder_that_is_not_there_is_an_os_error(tmp_path: Path, result: Result) -> None:
    with pytest.raises(OSError, match="absent"):
        timeline.write(tmp_path / "absent" / "timeline.parquet", result)


def test_pods_are_told_as_they_start_and_drain(tmp_path: Path, result: Result) -> None:
    """Asked at 50 s, Ready at 70 s; told to go at 80 s, when it has nothing left to do."""
    told = ("asked", "ready", "starting", "draining")
    decode = {
        row["t_s"]: tuple(row[name] for name in told)
        for row in rows(tmp_path, result)
        if row["role"] == "decode"
    }
    assert decode == {0.0: (1, 1, 0, 0), 50.0: (2, 1, 1, 0), 70.0: (2, 2, 0, 0), 80.0: (1, 1, 0, 0)}
