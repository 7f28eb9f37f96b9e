"""Flags for what a fleet can do beyond the plain path: each reaches the run, from either place."""

import shlex
from pathlib import Path
from typing import Any

import pytest

from tandem.api.role import Role
from tandem.cli import main
from tandem.simulator import run
from tandem.simulator.features import (
    ClusterFeatures,
    Encode,
    EngineFeatures,
    Failure,
    Handover,
)
from tandem.simulator.result import Result
from tandem.simulator.scenario import Scenario

PROFILE = "h200-llama-3.1-8b-fp8-tp1"
OTHER = "h200-llama-3.1-8b-tp1"
FIXED = ["--profile", PROFILE, "--prefill", "2", "--decode", "2", "--truth", "profile"]
ROWS = """
{"timestamp": 0, "input_length": 128, "output_length": 5, "hash_ids": [1, 2], "class": "chat", "encode_length": 64}
{"timestamp": 900, "input_length": 256, "output_length": 5, "hash_ids": [1, 2, 3, 4], "class": "batch"}
"""
P, D = Role.PREFILL, Role.DECODE


@pytest.fixture
def trace(tmp_path: Path) -> str:
    path = tmp_path / "trace.jsonl"
    path.write_text(ROWS)
    return str(path)


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> list[Scenario]:
    """The scenarios that the command has simulated."""
    seen: list[Scenario] = []
    real = run.simulate

    def simulate(scenario: Scenario, *others: Any) -> Result:
        seen.append(scenario)
        return real(scenario, *others)

    monkeypatch.setattr(run, "simulate", simulate)
    return seen


def asked(played: list[Scenario], trace: str, *words: str) -> Scenario:
    assert main.run(["simulate", "--json", *FIXED, "--trace", trace, *words]) == 0
    return played[-1]


def test_by_default_prefixes_are_kept_and_nothing_else_is_on(
    played: list[Scenario], trace: str
) -> None:
    plain = asked(played, trace)
    assert plain.engines == EngineFeatures(prefix_block_tokens=64)
    assert (plain.handover, plain.encode, plain.cluster) == (
        Handover(),
        Encode(),
        ClusterFeatures(),
    )
    assert (plain.pools, plain.priorities) == ({}, {})


@pytest.mark.parametrize(
    ("words", "part", "expected"),
    [
        ("--push-layers 32 --kv-lease 1m", "handover", Handover(push_layers=32, lease_s=60.0)),
        ("--no-prefix-cache --swap 25GB", "engines", EngineFeatures(swap_bytes_per_s=25e9)),
        (
            "--prefix-cache --swap 1.5MB/s --deflect-chunk 512 --migrate",
            "engines",
            EngineFeatures(
                prefix_block_tokens=64,
                swap_bytes_per_s=1.5e6,
                deflect_chunk_tokens=512,
                migrate=True,
            ),
        ),
        (
            "--no-prefix-cache --pod-spread 0.1 --prompt-spread 0.2",
            "engines",
            EngineFeatures(pod_spread=0.1, prompt_spread=0.2),
        ),
        (
            "--start-spread 0.3 --warm-start 0s",
            "cluster",
            ClusterFeatures(start_spread=0.3, warm_s=0.0),
        ),
        (
            "--node-accelerators 4 --missed-scrapes 0.05",
            "cluster",
            ClusterFeatures(node_accelerators=4, missed_scrapes=0.05),
        ),
    ],
)
def test_flags_reach_the_run(
    played: list[Scenario], trace: str, words: str, part: str, expected: object
) -> None:
    assert getattr(asked(played, trace, *words.split()), part) == expected


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("", 5.0),
        ("--switch-time 9s", 9.0),
        ("--switch-time 0s", 0.0),
        ("--switch-time never", None),
        (f"--decode-profile {OTHER}", None),
        (f"--decode-profile {OTHER} --switch-time never", None),
        (f'--pool "decode {OTHER} 1"', None),
    ],
)
def test_pods_may_switch_where_engines_are_alike(
    played: list[Scenario], trace: str, words: str, expected: float | None
) -> None:
    assert asked(played, trace, *shlex.split(words)).spec.switch_s == expected


def test_a_time_to_switch_is_refused_where_engines_differ(
    trace: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--trace", trace, "--decode-profile", OTHER, "--switch-time", "9s"]

    assert main.run(["simulate", *FIXED, *words]) == main.USAGE
    assert "--switch-time: '9s' is not allowed" in (said := capsys.readouterr().err)
    assert OTHER in said


def test_failures_are_told_one_by_one(played: list[Scenario], trace: str) -> None:
    told = ["pod decode 2m", "node prefill:1 5m", "link decode 3m 0.1 60s"]
    words = [word for text in told for word in ("--fail", text)]
    assert asked(played, trace, *words).cluster.failures == (
        Failure(at_s=120.0),
        Failure(at_s=300.0, kind="node", role=P, pick=1),
        Failure(at_s=180.0, kind="link", speed=0.1, lasts_s=60.0),
    )


@pytest.mark.parametrize(("pods", "count"), [("3", 3), ("shared", 0)])
def test_encoding_has_pods_and_a_cost(
    played: list[Scenario], trace: str, pods: str, count: int
) -> None:
    words = ["--encode", pods, "--encode-cost", "20ms 0.05ms"]
    encode = asked(played, trace, *words).encode
    assert (encode.fixed_s, encode.pods) == (0.020, count)
    assert encode.s_per_token == pytest.approx(0.00005)


def test_each_role_may_have_its_own_engines_and_pools_of_others(
    played: list[Scenario], trace: str
) -> None:
    words = [
        "--decode-profile",
        OTHER,
        "--pool",
        f"decode {PROFILE} 1",
        "--pool",
        f"decode {OTHER} 3",
    ]
    scenario = asked(played, trace, *words)
    assert [scenario.spec.roles[role].profile.name for role in (P, D)] == [PROFILE, OTHER]
    assert [(p.profile.name, p.most) for p in scenario.pools[D]] == [(PROFILE, 1), (OTHER, 3)]


def test_classes_have_priorities(played: list[Scenario], trace: str) -> None:
    words = ["--order", "class", "--priority", "chat=0", "--priority", "batch=-1"]
    assert asked(played, trace, *words).priorities == {"chat": 0, "batch": -1}


def test_a_scenario_file_says_the_same(played: list[Scenario], trace: str, tmp_path: Path) -> None:
    path = tmp_path / "scenario.yaml"
    path.write_text(
        'push-layers: 4\nprefix-cache: false\nswap: 25GB\nmigrate: true\nfail: ["pod decode 2m"]\n'
        'missed-scrapes: 0.1\nencode: "2"\nencode-cost: 20ms 1ms\norder: class\npriority: [chat=1]\n'
    )
    words = ["--push-layers", "4", "--no-prefix-cache", "--swap", "25GB", "--migrate", "--fail"]
    words += ["pod decode 2m", "--missed-scrapes", "0.1", "--encode", "2", "--encode-cost"]
    words += ["20ms 1ms", "--order", "class", "--priority", "chat=1"]
    by_file = asked(played, trace, "--scenario", str(path))
    by_flags = asked(played, trace, *words)
    for part in ("handover", "engines", "encode", "cluster", "priorities", "order"):
        assert getattr(by_file, part) == getattr(by_flags, part)


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--push-layers", "-1"], ["--push-layers", "0 or more"]),
        (["--kv-lease", "0s"], ["--kv-lease", "above zero"]),
        (["--swap", "25"], ["--swap", "25GB"]),
        (["--swap", "0GB"], ["--swap", "above 0"]),
        (["--deflect-chunk", "-5"], ["--deflect-chunk", "0 or more"]),
        (["--pod-spread", "-0.1"], ["--pod-spread", "0 or more"]),
        (["--prompt-spread", "nan"], ["--prompt-spread", "finite"]),
        (["--start-spread", "inf"], ["--start-spread", "finite"]),
        (["--warm-start", "soon"], ["--warm-start", "soon"]),
        (["--node-accelerators", "0"], ["--node-accelerators", "1 or more", PROFILE]),
        (["--missed-scrapes", "1"], ["--missed-scrapes", "below 1"]),
        (["--fail", ""], ["--fail", "pod ROLE AT"]),
        (["--fail", "rack decode 2m"], ["--fail", "rack", "pod ROLE AT"]),
        (["--fail", "pod decode"], ["--fail", "pod ROLE AT"]),
        (["--fail", "pod encode 2m"], ["--fail", "prefill or decode"]),
        (["--fail", "pod decode:x 2m"], ["--fail", ":N"]),
        (["--fail", "pod decode later"], ["--fail", "later"]),
        (["--fail", "link decode 3m"], ["--fail", "SHARE LASTS"]),
        (["--fail", "link decode 3m half 60s"], ["--fail", "share"]),
        (["--fail", "link decode 3m 1.5 60s"], ["--fail", "below 1"]),
        (["--fail", "link decode 3m 0.5 0s"], ["--fail", "above zero"]),
        (["--priority", "chat"], ["--priority", "CLASS=N"]),
        (["--priority", "chat=0"], ["--priority", "--order class"]),
        (["--order", "class", "--priority", "vip=0"], ["--priority", "batch, chat"]),
        (["--order", "class", "--priority", "chat=0", "--priority", "chat=1"], ["one number"]),
        (["--pool", "decode"], ["--pool", "ROLE PROFILE MOST"]),
        (["--pool", "decode nosuch 2"], ["--pool", "nosuch"]),
        (["--pool", "encode x 2"], ["--pool", "ROLE PROFILE MOST"]),
        (["--pool", "decode a100-opt-13b-tp1 2"], ["--pool", "bytes a token", PROFILE]),
        (["--decode-profile", "a100-opt-13b-tp1"], ["--decode-profile", "bytes a token"]),
        (["--decode-profile", "nosuch"], ["--decode-profile", "nosuch"]),
        (["--encode", "2"], ["--encode", "--encode-cost"]),
        (["--encode-cost", "20ms 1ms"], ["--encode-cost", "--encode"]),
        (["--encode", "0", "--encode-cost", "1ms 1ms"], ["--encode", "1 or more", "shared"]),
        (["--encode", "2", "--encode-cost", "20ms"], ["--encode-cost", "two durations"]),
        (["--encode", "2", "--encode-cost", "20ms x"], ["--encode-cost", "x"]),
    ],
    ids=lambda words: " ".join(words).strip("-"),
)
def test_a_mistake_is_one_line_and_exit_2(
    capsys: pytest.CaptureFixture[str], trace: str, words: list[str], named: list[str]
) -> None:
    assert main.run(["simulate", *FIXED, "--trace", trace, *words]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert [word for word in named if word not in captured.err] == []


@pytest.mark.parametrize(
    "words", [["--prefix-cache"], ["--encode", "2", "--encode-cost", "1ms 1ms"]]
)
def test_what_needs_a_column_that_the_trace_lacks_is_refused(
    capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    assert main.run(["simulate", *FIXED, "--duration", "5s", *words]) == 2
    assert "used with a trace that" in capsys.readouterr().err
