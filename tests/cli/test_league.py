"""`tandem league`, from the command line's words to its files."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from tests.fakes.league_outcome import outcome

from tandem.cli import main
from tandem.cli.league import written
from tandem.cli.league.workers import Crew, workers
from tandem.errors import InvalidInputError
from tandem.simulator.league.job import Task
from tandem.simulator.league.play import Done
from tandem.simulator.league.store import Store

SMALL = [
    *("--trace", "generated", "--duration", "1m", "--rate", "6"),
    *("--profile", "a100-llama-3.1-70b-tp4", "--ttft", "4s", "--tpot", "60ms"),
    *("--attainment", "0.95", "--cold-start", "20s", "--scrape-age", "5s"),
    *("--points", "2", "--oracle-effort", "4", "--jobs", "1"),
]


def league(*words: str) -> int:
    return main.run(["league", *words])


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """A small league, and what its JSON says."""
    folder = tmp_path_factory.mktemp("league")
    words = ["--policy", "tandem", "--policy", "hpa", "--routing", "own", "--seeds", "2"]
    code = league(
        *SMALL, *words, "--store", str(folder / "store"), "--json", str(folder / "out.json")
    )
    assert code == 0
    return folder, json.loads((folder / "out.json").read_text())


def test_the_contract_of_the_json(played: tuple[Path, Any]) -> None:
    _, document = played

    assert {"settings", "rows", "frontier", "floor", "oracle", "static_best"} <= set(document)
    row = {"policy", "parameter", "trace", "seed", "attainment", "gpu_hours", "cost", "ttft_s"}
    row |= {"tpot_s", "goodput_rps", "smooth_goodput", "switches", "starts"}
    assert all(row <= set(each) for each in document["rows"])
    keys = {"policy", "trace", "routing", "gpu_hours_at_target", "ci95", "attainment_reached"}
    assert all(keys | {"default"} <= set(each) for each in document["frontier"])
    assert all({"attainment", "gpu_hours"} <= set(f["default"]) for f in document["frontier"])
    assert {each["policy"] for each in document["frontier"]} == {"tandem", "hpa"}
    assert {each["seed"] for each in document["rows"]} == {1, 2}


def test_floor_oracle_and_static_best_in_order(played: tuple[Path, Any]) -> None:
    _, document = played
    floor, oracle, fixed = (
        document[name]["generated"] for name in ("floor", "oracle", "static_best")
    )

    assert 0 < floor <= oracle <= fixed
    for frontier in document["frontier"]:
        hours = frontier["gpu_hours_at_target"]
        assert hours is None or hours >= oracle


def test_asked_again_it_answers_from_its_store(
    played: tuple[Path, Any], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folder, document = played
    before = sorted((folder / "store").iterdir())
    words = ["--policy", "tandem", "--policy", "hpa", "--routing", "own", "--seeds", "2"]

    code = league(
        *SMALL, *words, "--store", str(folder / "store"), "--json", str(tmp_path / "again.json")
    )

    assert code == 0
    assert json.loads((tmp_path / "again.json").read_text()) == document
    assert sorted((folder / "store").iterdir()) == before
    shown = capsys.readouterr().out
    assert "oracle" in shown
    assert "GPU-hours at 95.00% attainment" in shown


def test_one_point_is_each_policy_as_it_comes(tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    words = ["--policy", "hpa", "--policy", "static", "--routing", "own", "--points", "1"]
    assert league(*SMALL, *words, "--store", str(tmp_path / "store"), "--json", str(out)) == 0
    document = json.loads(out.read_text())

    assert [row["parameter"] for row in document["rows"] if row["policy"] == "hpa"] == [0.7]
    assert all(each["default"] is not None for each in document["frontier"])


def test_the_json_of_a_whole_outcome_is_json() -> None:
    document = json.loads(json.dumps(written.document(outcome()), allow_nan=False))

    assert document["oracle"] == {"azure-conv": 10.0, "sine": 10.0}
    assert document["complete"] is True


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--trace", "nosuch"], "--trace"),
        ([], "--suite quick"),
        (["--trace", "drift", "--suite", "quick"], "--trace"),
        (["--suite", "slow"], "quick, full"),
        (["--suite", "quick", "--rate", "3"], "--rate"),
        (["--trace", "drift", "--policy", "nosuch"], "--policy"),
        (["--trace", "drift", "--routing", "mine"], "--routing"),
        (["--trace", "drift", "--seeds", "0"], "--seeds"),
        (["--trace", "drift", "--points", "0"], "--points"),
        (["--trace", "drift", "--jobs", "0"], "--jobs"),
        (["--trace", "drift", "--start-spread", "-1"], "--start-spread"),
        (["--trace", "drift", "--attainment", "1"], "--attainment"),
        (["--trace", "drift", "--profile", "nosuch"], "--profile"),
        (["--trace", "drift", "--trace", "drift"], "different names"),
        (["--trace", "drift", "--json", "/nosuch/out.json"], "--json"),
    ],
)
def test_a_mistake_is_one_line(
    capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    assert league(*words) == main.USAGE

    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_a_suite_without_data_says_what_it_needs(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TANDEM_DATA", str(tmp_path))

    assert league("--suite", "quick") == main.USAGE
    assert "$TANDEM_DATA" in capsys.readouterr().err


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "nonsense://x", "127.0.0.1:9"])
def test_a_dask_scheduler_that_does_not_answer_is_refused_in_seconds(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, address: str
) -> None:
    began_s = time.monotonic()

    assert league(*SMALL, "--store", str(tmp_path), "--dask", address) == main.USAGE
    assert time.monotonic() - began_s < 15
    assert "--dask" in capfd.readouterr().err


def test_a_full_disk_is_told_with_what_is_done(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    put = Store.put

    def full_after_six(self: Store, key: str, task: Task, done: Done) -> None:
        if len(list(self.folder.iterdir())) == 6:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.folder / key))
        put(self, key, task, done)

    monkeypatch.setattr(Store, "put", full_after_six)

    assert league(*SMALL, "--policy", "hpa", "--store", str(tmp_path)) == main.FAILED
    told = capsys.readouterr()
    assert "No space left on device" in told.err
    assert "results are kept in" in told.err
    assert "hpa" in told.out
    assert "Stopped before its end" in told.out
    assert len(list(tmp_path.iterdir())) == 6


@pytest.fixture
def interrupted(tmp_path: Path) -> tuple[int, str, Path]:
    """A league that got Ctrl-C after its first results."""
    words = [*SMALL, "--seeds", "8", "--store", str(tmp_path / "store")]
    code = "from tandem.cli.main import main; main()"
    command = [sys.executable, "-c", code, "league", *words, "--json", str(tmp_path / "out.json")]
    child = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=os.environ
    )
    store, limit_s = tmp_path / "store", time.monotonic() + 120
    while not (store.is_dir() and len(list(store.glob("*.json"))) >= 3):
        assert child.poll() is None, child.communicate()[0]
        assert time.monotonic() < limit_s, "no results"
        time.sleep(0.05)
    child.send_signal(signal.SIGINT)
    told, _ = child.communicate(timeout=60)
    return child.returncode, told, tmp_path


def test_ctrl_c_shows_and_keeps_what_is_done(interrupted: tuple[int, str, Path]) -> None:
    code, told, folder = interrupted
    document = json.loads((folder / "out.json").read_text())

    assert code == main.INTERRUPTED
    assert "Traceback" not in told
    assert "Stopped before its end" in told
    assert "results are kept in" in told
    assert document["complete"] is False
    assert len(list((folder / "store").glob("*.json"))) >= 3


def test_a_dask_clusters_workers_play() -> None:
    """A cluster within this process: the same executor that a league is given."""
    distributed = pytest.importorskip("distributed")
    settings = {"distributed.admin.system-monitor.gil.enabled": False}
    import dask  # noqa: PLC0415

    with (
        dask.config.set(settings),
        distributed.LocalCluster(
            n_workers=1,
            threads_per_worker=1,
            processes=False,
            dashboard_address=None,
            host="127.0.0.1",
            protocol="tcp",
        ) as cluster,
        workers(Crew(None, cluster.scheduler_address)) as executor,
    ):
        assert executor.submit(pow, 2, 5).result(timeout=20) == 32


def test_workers_that_do_not_exist_are_an_invalid_input() -> None:
    with pytest.raises(InvalidInputError, match="--dask"), workers(Crew(None, "tcp://127.0.0.1:9")):
        pass
