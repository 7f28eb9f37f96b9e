"""A file of options: the same as flags, flags win, and a mistake is named before anything runs."""

import json
from pathlib import Path
from typing import Any

import pytest

from tandem.cli import main

EXAMPLE = Path(__file__).parents[2] / "docs/examples/scenario.yaml"
FIXED = "profile: h200-llama-3.1-8b-fp8-tp1\nprefill: 1\ndecode: 1\nduration: 20s\n"


def figures(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    assert main.run(["simulate", "--json", *words]) == 0
    answer: dict[str, Any] = json.loads(capsys.readouterr().out)
    for name in ("wall_s", "requests_per_s"):
        del answer[name]
    return answer


def file(folder: Path, text: str) -> str:
    path = folder / "scenario.yaml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_the_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    answer = figures(capsys, "--scenario", str(EXAMPLE))
    assert (answer["policy"], answer["seed"], answer["duration_s"]) == ("tandem", 7, 300.0)
    assert answer["finished"] == answer["requests"]


def test_a_file_says_what_flags_say(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Texts, whole numbers, numbers and lists, by the names of the flags."""
    path = file(
        tmp_path,
        FIXED + "policy: tandem\nmax-decode: 3\nrate: 3\nparam: [shortage=0.01]\ncold-start: 30s\n",
    )
    flags = ["--profile", "h200-llama-3.1-8b-fp8-tp1", "--prefill", "1", "--decode", "1"]
    flags += ["--duration", "20s", "--policy", "tandem", "--max-decode", "3", "--rate", "3"]
    flags += ["--param", "shortage=0.01", "--cold-start", "30s"]
    assert figures(capsys, "--scenario", path) == figures(capsys, *flags)


def test_flags_win_over_the_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = file(tmp_path, FIXED + "seed: 3\njson: false\n")
    assert figures(capsys, "--scenario", path)["seed"] == 3
    answer = figures(capsys, "--seed", "4", "--scenario", path, "--duration", "30s")
    assert (answer["seed"], answer["duration_s"]) == (4, 30.0)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        pytest.param("speed: 9", ["scenario.yaml: speed", "9", "cold-start", "max-decode"], id="unknown key"),
        pytest.param("cold_start: 9s", ["scenario.yaml: cold_start", "cold-start"], id="Python's name"),
        pytest.param("scenario: other.yaml", ["scenario.yaml: scenario"], id="a file in a file"),
        pytest.param("help: true", ["scenario.yaml: help"], id="help is no option"),
        pytest.param("seed: one", ["scenario.yaml: seed", "'one'", "a whole number"], id="a word for a number"),
        pytest.param("seed: 1.5", ["scenario.yaml: seed", "1.5", "a whole number"], id="half a seed"),
        pytest.param("seed: true", ["scenario.yaml: seed", "True", "a whole number"], id="true is no 1"),
        pytest.param("seed: '1'", ["scenario.yaml: seed", "'1'", "a whole number"], id="a number in quotes"),
        pytest.param("rate:", ["scenario.yaml: rate", "None", "a number"], id="nothing"),
        pytest.param("ttft: 2", ["scenario.yaml: ttft", "2", "a text"], id="a number for a duration"),
        pytest.param("json: 1", ["scenario.yaml: json", "1", "true or false"], id="1 is no true"),
        pytest.param("param: shortage=0.01", ["scenario.yaml: param", "a list"], id="one for a list"),
        pytest.param("param: [1]", ["scenario.yaml: param", "[1]", "a list"], id="a list of numbers"),
        pytest.param("seed: 1\nseed: 2", ["scenario.yaml: seed", "2 values"], id="twice"),
        pytest.param("- seed", ["--scenario", "a mapping"], id="a list"),
        pytest.param("seed", ["--scenario", "a mapping"], id="a word"),
        pytest.param("seed: [1", ["--scenario", "a YAML file", "line"], id="no YAML"),
        pytest.param("seed: 2026-99-99", ["--scenario"], id="no date"),
        pytest.param(f"{FIXED}rate: -1", ["--rate", "-1"], id="out of bounds, as a flag would be"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line_and_exit_2(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, text: str, named: list[str]
) -> None:
    assert main.run(["simulate", "--scenario", file(tmp_path, text)]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert [word for word in named if word not in said] == []


def test_files_that_can_not_be_read_are_named(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "scenario.yaml"
    path.write_bytes(b"profile: \xff\xfe")
    for name, allowed in (
        (str(path), "UTF-8"),
        (str(tmp_path), "readable"),
        ("absent.yaml", "readable"),
    ):
        assert main.run(["simulate", "--scenario", name]) == 2
        said = capsys.readouterr().err
        assert name in said
        assert allowed in said


def test_an_empty_file_says_nothing(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main.run(["simulate", "--scenario", file(tmp_path, "# later\n")]) == 2
    assert "--profile" in capsys.readouterr().err


def test_a_league_takes_a_file_too(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = file(tmp_path, "trace: [a.csv]\nmax-replicas: many\n")
    assert main.run(["league", "--scenario", path]) == 2
    assert "scenario.yaml: max-replicas" in capsys.readouterr().err
