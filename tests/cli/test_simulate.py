"""`tandem simulate`, from the command line's words to its answer."""

import json
from pathlib import Path
from typing import Any

import pytest

from tandem.cli import main

PROFILE = "h200-llama-3.1-8b-fp8-tp1"
FIXED = ["--profile", PROFILE, "--prefill", "2", "--decode", "2"]
TRACE = """TIMESTAMP,ContextTokens,GeneratedTokens
2023-11-16 18:15:46.6805900,374,44
2023-11-16 18:15:50.9951690,396,109
2023-11-16 18:15:51.2224670,879,55
"""


@pytest.fixture
def trace(tmp_path: Path) -> str:
    path = tmp_path / "trace.csv"
    path.write_text(TRACE)
    return str(path)


def simulate(*words: str) -> int:
    return main.run(["simulate", *words])


def figures(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    assert simulate(*words, "--json") == 0
    answer: dict[str, Any] = json.loads(capsys.readouterr().out)
    return answer


def test_the_contract_of_the_json(capsys: pytest.CaptureFixture[str], trace: str) -> None:
    answer = figures(
        capsys, "--trace", trace, *FIXED, "--ttft", "2s", "--tpot", "50ms", "--seed", "1"
    )
    assert (answer["requests"], answer["finished"], answer["refused"]) == (3, 3, 0)
    assert answer["attainment"] == 1.0
    assert answer["duration_s"] == pytest.approx(4.541877)
    assert answer["goodput_rps"] == pytest.approx(3 / 4.541877)
    assert answer["replicas"] == {
        "prefill": {"mean": 2.0, "max": 2},
        "decode": {"mean": 2.0, "max": 2},
    }
    assert (answer["policy"], answer["profile"], answer["trace"], answer["seed"]) == (
        "static",
        PROFILE,
        "trace.csv",
        1,
    )
    assert set(answer["ttft_s"]) == {"mean", "p50", "p90", "p95", "p99"}


def test_tighter_targets_are_met_by_fewer(capsys: pytest.CaptureFixture[str], trace: str) -> None:
    """Prompts of 374, 396 and 879 tokens: TTFT about 32, 32 and 42 ms."""
    attainments = [
        figures(capsys, "--trace", trace, *FIXED, "--ttft", ttft)["attainment"]
        for ttft in ("1s", "37ms")
    ]
    assert attainments == [1.0, pytest.approx(2 / 3)]


def test_without_a_trace_one_is_generated(capsys: pytest.CaptureFixture[str]) -> None:
    answer = figures(capsys, *FIXED, "--rate", "2", "--duration", "1m")
    assert (answer["trace"], answer["duration_s"]) == ("generated", 60.0)
    assert 60 < answer["requests"] < 240


def test_a_built_in_load_goes_by_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    answer = figures(capsys, *FIXED, "--trace", "sine-10528", "--duration", "60s")
    assert (answer["trace"], answer["duration_s"]) == ("sine-10528", 60.0)
    assert answer["requests"] == pytest.approx(88, abs=30), (
        "1 to 3.2 requests/s in the first minute"
    )


def test_equal_seeds_answer_alike_but_for_the_wall_clock(
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = [*FIXED, "--duration", "30s", "--seed", "5"]
    first, second = (figures(capsys, *words) for _ in range(2))
    for answer in (first, second):
        del answer["wall_s"], answer["requests_per_s"]
    assert first == second


def test_duration_cuts_the_trace_and_rate_scales_what_is_left(
    capsys: pytest.CaptureFixture[str], trace: str
) -> None:
    cut = figures(capsys, "--trace", trace, *FIXED, "--duration", "4400ms")
    scaled = figures(capsys, "--trace", trace, *FIXED, "--duration", "4400ms", "--rate", "50")
    assert (cut["requests"], cut["duration_s"]) == (2, 4.4)
    assert scaled["duration_s"] == 4.4
    assert abs(scaled["requests"] - 220) <= 2, "110 copies of two requests"


def test_a_policy_moves_the_fleet_within_its_bounds(capsys: pytest.CaptureFixture[str]) -> None:
    """Three pods a role idle at 1 request/s: the policy takes some away, and says when and why."""
    words = ["--rate", "1", "--duration", "15m", "--max-prefill", "3", "--max-decode", "3"]
    paces = ["--cold-start", "100s", "--scrape-age", "15s", "--interval", "5s"]
    start = ["--profile", PROFILE, "--prefill", "3", "--decode", "3"]
    answer = figures(capsys, *start, "--policy", "tandem", *words, *paces)
    assert answer["policy"] == "tandem"
    assert answer["attainment"] > 0.99
    replicas = {"prefill": 3, "decode": 3}
    for change in answer["decisions"]:
        assert list(change) == ["t_s", "role", "from", "to", "reason"]
        assert change["from"] == replicas[change["role"]]
        assert 1 <= change["to"] <= 3
        assert change["reason"]
        replicas[change["role"]] = change["to"]
    assert sum(replicas.values()) < 6
    for role in replicas:
        assert answer["replicas"][role]["mean"] < 3


def test_options_reach_the_run(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A burst on one pod a role: order changes who waits, a drain of 0 cuts, cold starts delay a policy."""
    path = tmp_path / "burst.jsonl"
    row = '{"timestamp": %d, "input_length": %d, "output_length": 900}\n'
    path.write_text("".join(row % (k, 40_000 if k % 2 else 400) for k in range(12)))
    words = ["--trace", str(path), "--profile", PROFILE, "--prefill", "1", "--decode", "1"]
    usual = figures(capsys, *words)
    assert figures(capsys, *words, "--order", "fcfs")["ttft_s"] != usual["ttft_s"]
    assert figures(capsys, *words, "--drain", "1s")["finished"] < usual["finished"]
    moved = {
        cold_start: figures(
            capsys, *words, "--policy", "hpa", "--interval", "1s", "--cold-start", cold_start
        )
        for cold_start in ("0s", "100s")
    }
    assert moved["0s"]["ttft_s"]["p99"] < moved["100s"]["ttft_s"]["p99"]


def test_a_person_reads_a_table(capsys: pytest.CaptureFixture[str], trace: str) -> None:
    assert simulate("--trace", trace, *FIXED) == 0
    shown = capsys.readouterr().out
    assert "3 requests" in shown
    assert "attainment 100.00%" in shown
    for name in ("TTFT", "TPOT", "ITL", "E2E", "queue", "transfer", "GPU-hours"):
        assert name in shown


@pytest.mark.parametrize(
    ("words", "named"),
    [
        pytest.param(["--speed", "9"], ["--speed"], id="unknown flag"),
        pytest.param(["--policy", "magic"], ["--policy", "magic", "tandem"], id="unknown policy"),
        pytest.param(["--profile", "h900"], ["--profile", "h900", PROFILE], id="unknown profile"),
        pytest.param(["--order", "lifo"], ["--order", "lifo", "fcfs"], id="unknown order"),
        pytest.param(
            ["--trace", "absent.csv"], ["--trace", "absent.csv", "bursty"], id="no such trace"
        ),
        pytest.param(["--prefill", "0"], ["--prefill", "0", "1 or more"], id="no prefill pod"),
        pytest.param(["--decode", "-2"], ["--decode", "-2"], id="negative pods"),
        pytest.param(["--decode", "two"], ["--decode", "integer"], id="pods in words"),
        pytest.param(
            ["--min-prefill", "2"], ["--min-prefill", "--policy"], id="bound of a fixed fleet"
        ),
        pytest.param(
            ["--policy", "tandem", "--min-decode", "5", "--max-decode", "3"],
            ["--min-decode", "5", "--max-decode (3)"],
            id="min over max",
        ),
        pytest.param(
            ["--policy", "tandem", "--max-prefill", "1"],
            ["--prefill", "2", "(1)"],
            id="start over max",
        ),
        pytest.param(["--ttft", "fast"], ["--ttft", "fast", "500ms"], id="no duration"),
        pytest.param(["--ttft", "1ms"], ["--ttft", "1ms", "idle engine"], id="nobody meets TTFT"),
        pytest.param(["--tpot", "0s"], ["--tpot", "0s", "above zero"], id="no time at all"),
        pytest.param(["--scrape-age", "-5s"], ["--scrape-age"], id="scrapes of the future"),
        pytest.param(
            ["--attainment", "99"], ["--attainment", "99", "0.99"], id="percent for a share"
        ),
        pytest.param(["--rate", "-1"], ["--rate", "-1"], id="negative rate"),
        pytest.param(["--rate", "nan"], ["--rate", "nan"], id="rate that is no number"),
        pytest.param(["--interval", "0s"], ["--interval", "0s"], id="no interval"),
        pytest.param(
            ["--param", "head=many"], ["--param", "head=many", "NAME=VALUE"], id="word for number"
        ),
        pytest.param(
            ["--policy", "tandem", "--param", "magic=1"],
            ["--param magic", "one of"],
            id="unknown parameter",
        ),
        pytest.param(
            ["--param", "prefill=3"],
            ["--param prefill", "--policy"],
            id="parameter of a fixed fleet",
        ),
        pytest.param(["--seed", "-1"], ["--seed", "-1"], id="negative seed"),
    ],
)
def test_a_mistake_is_one_line_and_exit_2(
    capsys: pytest.CaptureFixture[str], words: list[str], named: list[str]
) -> None:
    assert simulate(*FIXED, "--duration", "5s", *words) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert [word for word in named if word not in captured.err] == []


@pytest.mark.parametrize(
    ("content", "named"),
    [
        pytest.param(TRACE.replace("ContextTokens", "Tokens"), ["Tokens"], id="unknown column"),
        pytest.param(TRACE.replace(",879", ",-879"), ["line 4", "-879"], id="negative tokens"),
        pytest.param(
            "\n".join([TRACE.splitlines()[0], "2023-11-16 18:15:46,90000000,4"]),
            ["90000000 + 4 tokens", "945029 tokens"],
            id="a request that no engine can hold",
        ),
    ],
)
def test_a_bad_trace_is_one_line_and_exit_2(
    capsys: pytest.CaptureFixture[str], trace: str, content: str, named: list[str]
) -> None:
    Path(trace).write_text(content)
    assert simulate("--trace", trace, *FIXED) == 2
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert [word for word in named if word not in captured.err] == []


def test_a_page_and_a_timeline_stand_beside_the_report(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, trace: str
) -> None:
    page, timeline = tmp_path / "run.html", tmp_path / "run.parquet"
    words = ["--report", str(page), "--timeline", str(timeline)]
    assert figures(capsys, "--trace", trace, *FIXED, *words)["finished"] == 3
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert timeline.read_bytes()[:4] == b"PAR1"


@pytest.mark.parametrize("flag", ["--report", "--timeline"])
def test_a_file_that_can_not_be_written_is_told_before_the_run(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, trace: str, flag: str
) -> None:
    for place in (tmp_path, tmp_path / "absent" / "file"):
        assert simulate("--trace", trace, *FIXED, flag, str(place)) == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        assert flag in captured.err
        assert str(place) in captured.err


def test_a_full_disk_loses_the_page_and_not_the_report(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, trace: str
) -> None:
    """A name that is too long once the file is under way stands for a disk that refuses it."""
    page = tmp_path / ("x" * 250)
    assert simulate("--trace", trace, *FIXED, "--json", "--report", str(page)) == 1
    captured = capsys.readouterr()
    assert json.loads(captured.out)["finished"] == 3
    assert page.name in captured.err


@pytest.mark.data
@pytest.mark.parametrize(
    ("path", "requests"),
    [
        pytest.param("azure2023/AzureLLMInferenceTrace_conv.csv.gz", 371, id="Azure CSV"),
        pytest.param("mooncake/synthetic_trace.jsonl.gz", 366, id="Mooncake JSONL"),
        pytest.param("agent-sessions/magagent_calls.jsonl.gz", 19, id="agent sessions"),
        pytest.param("servegen/m-large_day2_x0.05.parquet", 526, id="Parquet"),
    ],
)
def test_one_trace_of_each_format_replays(
    capsys: pytest.CaptureFixture[str], data_folder: Path, path: str, requests: int
) -> None:
    answer = figures(capsys, "--trace", str(data_folder / path), *FIXED, "--duration", "100s")
    assert (answer["requests"], answer["finished"]) == (requests, requests)
    assert answer["trace"] == Path(path).name
