"""What mypyc makes of the simulator does what its source does."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tandem import compiled

SIMULATE = (
    "simulate --profile a100-opt-13b-tp1 --policy tandem --rate 9 --duration 4m --cold-start 20s"
)
WALL = ("wall_s", "requests_per_s")


def tandem(arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    program = "from tandem.cli.main import main; main()"
    return subprocess.run(
        [sys.executable, "-c", program, *arguments.split()],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )


def figures(done: "subprocess.CompletedProcess[str]") -> dict[str, Any]:
    found: dict[str, Any] = json.loads(done.stdout)
    return {name: value for name, value in found.items() if name not in WALL}


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def test_compiled_and_interpreted_give_the_same_report_and_compile_once(cache: Path) -> None:
    there = {"XDG_CACHE_HOME": str(cache), compiled.SWITCH: ""}
    first = tandem(f"{SIMULATE} --json", **there)
    again = tandem(f"{SIMULATE} --json", **there)
    plain = tandem(f"{SIMULATE} --json", **{compiled.SWITCH: "0"})
    assert "compiling the simulator" in first.stderr
    assert not again.stderr
    assert figures(first) == figures(again) == figures(plain)


def test_without_a_compiler_it_runs_and_says_how_to_be_faster(tmp_path: Path) -> None:
    there = {"XDG_CACHE_HOME": str(tmp_path), compiled.SWITCH: "", "PATH": str(tmp_path)}
    done = tandem(f"{SIMULATE} --json", **there)
    assert "uncompiled" in done.stderr
    assert "apt install" in done.stderr
    assert figures(done)["requests"] > 0


def test_a_cache_that_cannot_be_written_is_said_and_no_failure(tmp_path: Path) -> None:
    (tmp_path / "tandem").write_text("a file where the folder should be")
    there = {"XDG_CACHE_HOME": str(tmp_path), compiled.SWITCH: ""}
    done = tandem(f"{SIMULATE} --json", **there)
    assert str(tmp_path) in done.stderr
    assert figures(done)["requests"] > 0


def test_every_module_that_is_compiled_is_there() -> None:
    assert all(path.is_file() for path in compiled._texts())
