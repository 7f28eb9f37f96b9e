"""Results survive kills and full disks; what is damaged is done again."""

import errno
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.fakes.leagues import case, played

from tandem.errors import InvalidInputError
from tandem.simulator.league import job
from tandem.simulator.league.job import Job, Survey, Task
from tandem.simulator.league.store import Store, default_folder

KEY = "k" * 64


def a_job() -> Job:
    return Job(case=case(), policy="hpa", order="fcfs")


def test_a_result_comes_back_as_it_was(tmp_path: Path) -> None:
    Store(tmp_path / "made").put(KEY, a_job(), played())

    assert Store(tmp_path / "made").get(KEY, a_job()) == played()


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda content: content[:-20], id="cut short"),
        pytest.param(lambda content: content.replace(b'"cost":20.0', b'"cost":10.0'), id="a digit"),
        pytest.param(lambda _: b"", id="empty"),
        pytest.param(lambda _: b"\xff\xfe no digest", id="another file"),
    ],
)
def test_a_damaged_result_is_as_good_as_none(tmp_path: Path, damage: Any) -> None:
    store = Store(tmp_path)
    store.put(KEY, a_job(), played())
    path = tmp_path / f"{KEY}.json"
    path.write_bytes(damage(path.read_bytes()))

    assert store.get(KEY, a_job()) is None


def test_a_result_of_another_kind_is_none(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.put(KEY, a_job(), played())

    assert store.get(KEY, Survey(case=case())) is None


def test_a_full_disk_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path)
    store.put(KEY, a_job(), played())

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left") as told:
        store.put(KEY, a_job(), played(attainment=0.5))

    assert told.value.filename == str(tmp_path / f"{KEY}.json")
    assert store.get(KEY, a_job()) == played()
    assert [path.name for path in tmp_path.iterdir()] == [f"{KEY}.json"]


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(InvalidInputError, match=r"--store.*can be made"):
        Store(tmp_path / "file" / "store")


def test_the_folder_follows_xdg(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    assert default_folder() == tmp_path / "tandem" / "league"


def test_keys_tell_apart_all_that_decides() -> None:
    base = a_job()
    others: list[Task] = [
        Job(case=case(seed=2), policy="hpa", order="fcfs"),
        Job(case=case(rate_rps=7.0), policy="hpa", order="fcfs"),
        Job(case=case(), policy="hpa", order="edf"),
        Job(case=case(), policy="hpa", order="fcfs", parameters=(("target", 0.5),)),
        Job(case=case(), policy="hpa", order="fcfs", start=(1, 2)),
        Survey(case=case()),
    ]
    keys = {job.key(task, "source") for task in (base, *others)} | {job.key(base, "newer source")}

    assert len(keys) == len(others) + 2


def test_a_key_does_not_hang_on_where_a_file_lies() -> None:
    base = a_job()
    load = replace(base.case.load, name="mine", path="/elsewhere/trace.csv")
    moved = replace(base, case=replace(base.case, load=load))

    assert job.key(base, "s") == job.key(moved, "s")
