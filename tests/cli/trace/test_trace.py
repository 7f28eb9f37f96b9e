"""`tandem trace`, from the command line's words to the files it writes."""

import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tandem.cli import main
from tandem.traces.model import Trace
from tandem.traces.read import read_trace

ROW = '{{"timestamp": {}, "input_length": {}, "output_length": 2}}\n'
COMMANDS = (
    "look",
    "convert",
    "thin",
    "superpose",
    "shift",
    "window",
    "splice",
    "jitter",
    "generate",
)


def trace(*words: object) -> int:
    return main.run(["trace", *map(str, words)])


def made(out: Path, *words: object) -> Trace:
    assert trace(*words, "--out", out) == 0
    return read_trace(out)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Ten requests, one a second, the first at 0."""
    path = tmp_path / "source.jsonl"
    path.write_text("".join(ROW.format(1000 * k, k + 1) for k in range(10)))
    return path


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out.jsonl"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_sub_command_has_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert trace(name, "--help") == 0
    assert f"Usage: tandem trace {name}" in capsys.readouterr().out


def test_all_sub_commands_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert trace("--help") == 0
    shown = capsys.readouterr().out
    assert [name for name in COMMANDS if f"\n  {name} " not in shown] == []


@pytest.mark.parametrize("name", ["out.jsonl", "out.csv.gz", "out.parquet"])
def test_convert_keeps_the_trace_and_says_what_it_wrote(
    source: Path, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    converted = made(tmp_path / name, "convert", source)
    assert converted.requests == read_trace(source).requests
    captured = capsys.readouterr()
    assert captured.out == f"wrote {tmp_path / name}: 10 requests in 9 s, 1.11 requests/s\n"
    assert captured.err == ""


def test_convert_says_in_one_line_what_a_format_can_not_carry(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "s.jsonl"
    source.write_text(ROW.format(0, 5).replace("}", ', "hash_ids": [1], "class": "chat"}'))
    assert trace("convert", source, "--out", tmp_path / "o.csv") == 0
    assert capsys.readouterr().err == "note: o.csv can't carry hash_ids, class; JSONL does\n"


def test_thin_and_superpose_reach_a_rate_over_the_same_time(source: Path, out: Path) -> None:
    thinned = made(out, "thin", source, "--rate", "0.5")
    assert 0 < len(thinned.requests) < 10
    assert thinned.duration_s == 9
    assert made(out, "thin", source, "--keep", "1").requests == read_trace(source).requests
    doubled = made(out, "superpose", source, "--copies", "2")
    assert (len(doubled.requests), doubled.duration_s) == (20, 9)
    assert len(made(out, "superpose", source, "--rate", f"{30 / 9}").requests) == 30


def test_shift_wraps_and_window_cuts(source: Path, out: Path) -> None:
    shifted = made(out, "shift", source, "--by", "2500ms")
    assert [r.input_tokens for r in shifted.requests] == [8, 9, 1, 10, 2, 3, 4, 5, 6, 7]
    part = made(out, "window", source, "--from", "2500ms", "--duration", "3s")
    assert [(r.arrival_s, r.input_tokens) for r in part.requests] == [(0.5, 4), (1.5, 5), (2.5, 6)]
    assert part.duration_s == 3


def test_splice_follows_and_mixes(source: Path, out: Path) -> None:
    joined = made(out, "splice", source, source, source)
    assert (len(joined.requests), joined.duration_s) == (30, 27)
    mixed = made(out, "splice", source, "poisson", "--mix", "18s")
    assert {r.class_name for r in mixed.requests} == {"source.jsonl", "poisson"}
    assert mixed.duration_s == 9


def test_jitter_moves_arrivals_by_its_seed(source: Path, out: Path) -> None:
    noisy = made(out, "jitter", source, "--by", "1s")
    assert sorted(r.input_tokens for r in noisy.requests) == list(range(1, 11))
    assert noisy != made(out, "jitter", source, "--by", "1s", "--seed", "2")
    assert noisy == made(out, "jitter", source, "--by", "1s", "--seed", "1")


def test_generate_takes_a_built_in_load_and_changes_what_is_said(out: Path) -> None:
    sine = made(out, "generate", "--like", "sine-10528", "--rate", "3", "--duration", "10m")
    assert sine.duration_s == 600
    assert len(sine.requests) == pytest.approx(1800, rel=0.1)
    assert {(r.input_tokens, r.output_tokens) for r in sine.requests} == {(8000, 1000)}


def test_generate_has_every_character(out: Path) -> None:
    words = ["--rate", "2", "--duration", "20m", "--input-mean", "500", "--input-cv", "0"]
    alike = made(out, "generate", *words, "--output-mean", "50", "--output-cv", "0")
    assert {(r.input_tokens, r.output_tokens) for r in alike.requests} == {(500, 50)}
    drifting = made(
        out, "generate", *words, "--drift", "10", "--drift-period", "20m", "--output-cv", "0"
    )
    ratios = [r.input_tokens / r.output_tokens for r in drifting.requests]
    assert max(ratios) / min(ratios) == pytest.approx(100, rel=0.15), "each by 10, out of phase"
    talking = made(out, "generate", *words, "--turns", "4", "--think", "5s", "--added-mean", "80")
    assert len({r.session for r in talking.requests}) > 10
    assert all(r.hash_ids for r in talking.requests)
    seen = made(out, "generate", *words, "--encode-share", "0.5", "--encode-mean", "600")
    images = [r.encode_tokens for r in seen.requests if r.encode_tokens]
    assert len(images) / len(seen.requests) == pytest.approx(0.5, abs=0.05)
    assert sum(images) / len(images) == pytest.approx(600, rel=0.1)
    assert {r.input_tokens - r.encode_tokens for r in seen.requests} == {500}
    idle = made(out, "generate", *words, "--gap-cv", "10", "--idle", "1m")
    gaps_s = (after.arrival_s - before.arrival_s for before, after in pairwise(idle.requests))
    assert max(gaps_s) > 20


def test_look_tells_every_figure_as_json(source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert trace("look", source, "--json") == 0
    figures: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert figures["trace"] == "source.jsonl"
    assert (figures["requests"], figures["span_s"], figures["gap_cv"]) == (10, 9.0, 0.0)
    assert figures["fano"] == {"1s": 0.0, "10s": None, "60s": None}
    assert figures["input_tokens"] == {
        "mean": 5.5,
        "p50": 5.5,
        "p90": 9.1,
        "p99": pytest.approx(9.91),
        "largest": 10,
    }
    assert figures["input_per_output"] == {"mean": 2.75, "least": 2.75, "most": 2.75}
    assert figures["prefix_reuse"] is None


def test_look_shows_a_table(source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert trace("look", source) == 0
    shown = capsys.readouterr().out
    for word in ("requests/s", "1.11", "Fano, 10 s", "input:output", "2.75", "P99"):
        assert word in shown


@pytest.mark.parametrize("rows", [1, 3], ids=["one request", "equal times"])
def test_look_takes_a_trace_of_one_instant(
    tmp_path: Path, rows: int, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "s.jsonl"
    source.write_text(ROW.format(7, 5) * rows)
    assert trace("look", source, "--json", "--plot", tmp_path / "p.html") == 0
    assert json.loads(capsys.readouterr().out)["rate_rps"] is None


def test_a_plot_is_one_page_that_needs_no_network_and_escapes_names(
    tmp_path: Path, source: Path
) -> None:
    named = source.rename(tmp_path / "<b>bold<")
    page = tmp_path / "page.html"
    assert trace("look", named, "--plot", page) == 0
    text = page.read_text(encoding="utf-8")
    assert "&lt;b&gt;bold&lt;" in text
    assert "<b>bold<" not in text
    assert "prefers-color-scheme: dark" in text
    for part in ("Arrival rate", "Prefill to decode demand", "Input lengths", "Output lengths"):
        assert part in text
    assert re.findall(r"<(?:script|link|img|iframe)[^>]*(?:src|href)=", text) == []


@pytest.mark.parametrize(
    ("words", "named"),
    [
        pytest.param(["look", "absent"], ["TRACE", "absent", "sine-10528"], id="no such trace"),
        pytest.param(["convert", "S", "--out", "o.txt"], ["--out", ".parquet"], id="no format"),
        pytest.param(
            ["convert", "S", "--out", "absent/o.csv"], ["--out", "absent", "folder"], id="no folder"
        ),
        pytest.param(["thin", "S", "--out", "o.csv"], ["--keep", "--rate", "neither"], id="none"),
        pytest.param(
            ["thin", "S", "--out", "o.csv", "--keep", "0.5", "--rate", "1"],
            ["--keep", "--rate", "both"],
            id="both",
        ),
        pytest.param(["thin", "S", "--out", "o.csv", "--keep", "2"], ["--keep", "2"], id="share"),
        pytest.param(
            ["thin", "S", "--out", "o.csv", "--rate", "5"],
            ["--rate", "superpose"],
            id="thin to more",
        ),
        pytest.param(
            ["superpose", "S", "--out", "o.csv", "--rate", "0.5"],
            ["--rate", "thin"],
            id="lay to less",
        ),
        pytest.param(
            ["superpose", "S", "--out", "o.csv", "--copies", "0"], ["--copies", "0"], id="no copy"
        ),
        pytest.param(["shift", "S", "--out", "o.csv", "--by", "soon"], ["--by", "soon"], id="time"),
        pytest.param(
            ["window", "S", "--out", "o.csv", "--from", "1h", "--duration", "1s"],
            ["--duration", "9 s long"],
            id="empty window",
        ),
        pytest.param(
            ["splice", "S", "S", "S", "--mix", "1m", "--out", "o.csv"],
            ["--mix", "two"],
            id="mix of 3",
        ),
        pytest.param(
            ["jitter", "S", "--by", "1s", "--seed", "-1", "--out", "o.csv"], ["--seed"], id="seed"
        ),
        pytest.param(
            ["generate", "--like", "storm", "--out", "o.csv"],
            ["--like", "bursty"],
            id="no such load",
        ),
        pytest.param(
            ["generate", "--fano", "0.5", "--out", "o.csv"], ["--fano"], id="Fano below 1"
        ),
        pytest.param(
            ["generate", "--think", "1s", "--out", "o.csv"], ["--think", "--turns"], id="no session"
        ),
        pytest.param(
            ["generate", "--encode-mean", "9", "--out", "o.csv"],
            ["--encode-mean", "--encode-share"],
            id="images of nobody",
        ),
        pytest.param(["generate", "--rate", "nan", "--out", "o.csv"], ["--rate", "nan"], id="nan"),
        pytest.param(["melt"], ["melt"], id="no such sub-command"),
        pytest.param([], ["Missing command"], id="no sub-command"),
    ],
)
def test_a_mistake_is_one_line_and_exit_2_and_writes_nothing(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    source: Path,
    words: list[str],
    named: list[str],
) -> None:
    monkeypatch.chdir(source.parent)
    assert trace(*(source.name if word == "S" else word for word in words)) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert [word for word in named if word not in captured.err] == []
    assert list(source.parent.iterdir()) == [source]
