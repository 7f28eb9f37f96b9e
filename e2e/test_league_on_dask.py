"""A league on a Dask cluster that is there already: a scheduler and two workers, each a process."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.e2e
pytest.importorskip("distributed")

WORDS = [
    *("--trace", "generated", "--duration", "2m", "--rate", "6"),
    *("--profile", "a100-llama-3.1-70b-tp4", "--ttft", "4s", "--tpot", "60ms"),
    *("--attainment", "0.95", "--cold-start", "20s", "--scrape-age", "5s"),
    *("--policy", "tandem", "--policy", "hpa", "--points", "3", "--oracle-effort", "8"),
]
TANDEM = [sys.executable, "-c", "from tandem.cli.main import main; main()"]
LIMIT_S = 300.0  # the simulator may have to be compiled first


@dataclass(frozen=True, slots=True)
class Cluster:
    """A scheduler's address, and its workers."""

    address: str
    workers: list["subprocess.Popen[bytes]"]


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """Without nannies, so that a worker that is killed stays away."""
    told = tmp_path / "scheduler.json"
    with ExitStack() as stack:
        here = ["--host", "127.0.0.1", "--no-dashboard"]
        _started(stack, "scheduler", "--port", "0", "--scheduler-file", str(told), *here)
        _until(told.exists, "no scheduler")
        address = json.loads(told.read_text())["address"]
        one = ["--nthreads", "1", "--no-nanny", "--local-directory", str(tmp_path)]
        yield Cluster(address, [_started(stack, "worker", address, *one, *here) for _ in range(2)])


def test_a_worker_that_dies_half_way_loses_nothing(cluster: Cluster, tmp_path: Path) -> None:
    league = _league(tmp_path, "cluster", "--dask", cluster.address)
    store = tmp_path / "cluster"
    _until(lambda: len(list(store.glob("*.json"))) >= 5 or league.poll() is not None, "no results")
    assert league.poll() is None, league.communicate()
    cluster.workers[0].kill()
    _ends_well(league)

    there = _outcome(tmp_path / "cluster.out")
    assert there["complete"]
    _ends_well(_league(tmp_path, "here", "--jobs", "2"))
    assert there == _outcome(tmp_path / "here.out")


def test_results_of_a_cluster_serve_a_league_without_one(cluster: Cluster, tmp_path: Path) -> None:
    _ends_well(_league(tmp_path, "cluster", "--dask", cluster.address))
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "cluster").iterdir()}

    _ends_well(_league(tmp_path, "cluster", "--jobs", "1"))

    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "cluster").iterdir()} == kept


def _started(stack: ExitStack, *words: str) -> "subprocess.Popen[bytes]":
    process = subprocess.Popen([sys.executable, "-m", "dask", *words], stderr=subprocess.DEVNULL)
    stack.callback(process.wait)
    stack.callback(process.kill)
    return process


def _league(folder: Path, name: str, *words: str) -> "subprocess.Popen[str]":
    """One under way; its results lie in the folder `name`, its JSON beside."""
    files = ["--store", str(folder / name), "--json", str(folder / f"{name}.out")]
    command = [*TANDEM, "league", *WORDS, *files, *words]
    return subprocess.Popen(
        command, text=True, env=os.environ, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )


def _ends_well(league: "subprocess.Popen[str]") -> None:
    _, told = league.communicate(timeout=LIMIT_S)
    assert league.returncode == 0, told


def _outcome(path: Path) -> Any:
    return json.loads(path.read_text())


def _until(there: Callable[[], bool], why_not: str) -> None:
    limit_s = time.monotonic() + LIMIT_S
    while not there():
        assert time.monotonic() < limit_s, why_not
        time.sleep(0.05)
