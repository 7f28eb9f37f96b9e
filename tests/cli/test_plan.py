import json
from pathlib import Path
from typing import Any

import pytest

from tandem.cli.main import run

LOAD = [
    "plan",
    "--profile",
    "h200-llama-3.1-8b-fp8-tp1",
    "--rate",
    "20",
    "--isl",
    "3000",
    "--osl",
    "150",
]
SLO = ["--ttft", "500ms", "--tpot", "40ms", "--attainment", "0.99"]


def answer(capsys: pytest.CaptureFixture[str], *more: str) -> Any:
    assert run([*LOAD, *SLO, *more, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_the_answer_has_the_promised_shape(capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys)

    assert (found["prefill"], found["decode"], found["ratio"]) == (2, 1, 2.0)
    assert found["bottleneck"] == "prefillCompute"
    assert found["predicted"]["attainment"] > 0.99
    for target in ("ttft_s", "tpot_s"):
        quantiles = found["predicted"][target]
        assert list(quantiles) == ["p50", "p90", "p95", "p99"]
        assert sorted(quantiles.values()) == list(quantiles.values())
    assert set(found["utilisation"]) == {"prefill", "link", "decode", "kv"}
    assert found["accelerators"] == 3
    assert found["cost_per_hour"] == pytest.approx(3 * 4.1)
    assert "20 requests/s of 3000 input tokens" in found["reasons"][0]
    assert found["runner_up"]["reason"]


def test_it_tells_what_one_more_pod_is_worth(capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys)

    assert found["pools"] == {
        "prefill": {"h200-llama-3.1-8b-fp8-tp1": 2},
        "decode": {"h200-llama-3.1-8b-fp8-tp1": 1},
    }
    assert found["marginal"]["prefill"]["rate"] > found["marginal"]["decode"]["rate"] >= 0
    assert found["relief"]["role"] == "prefill"
    assert found["attainable_slo"] is None


def test_what_a_budget_can_not_meet_it_says_what_it_can(capsys: pytest.CaptureFixture[str]) -> None:
    tight = ["--rate", "26", "--isl-cv", "0.5", "--budget-accelerators", "3"]
    nearest = answer(capsys, *tight)["attainable_slo"]

    assert nearest["factor"] > 1
    assert nearest["ttft_s"] == pytest.approx(0.5 * nearest["factor"])
    assert nearest["prefill"] + nearest["decode"] == 3
    assert run([*LOAD, *SLO, *tight]) == 0
    assert "Could be met within these bounds: TTFT" in capsys.readouterr().out


def test_pools_mix_accelerators_in_a_role(capsys: pytest.CaptureFixture[str]) -> None:
    load = "--profile h200-llama-3.1-8b-tp1 --rate 100 --isl 1500 --osl 200 --isl-cv 1 --osl-cv 0.8"
    slo = ["--ttft", "1s", "--tpot", "30ms"]
    own = answer(capsys, *load.split(), *slo)
    both = answer(capsys, *load.split(), *slo, "--pool", "prefill a100-llama-3.1-8b-tp1 8")

    assert both["feasible"]
    assert both["cost_per_hour"] < own["cost_per_hour"]
    assert sum(both["pools"]["prefill"].values()) == both["prefill"]
    assert both["pools"]["prefill"]["a100-llama-3.1-8b-tp1"] > 0


def test_a_budget_of_money_is_shared_by_pools(capsys: pytest.CaptureFixture[str]) -> None:
    """The least is the cheapest pool's: 1.80 for prefill, 4.10 for decode."""
    load = ["--profile", "h200-llama-3.1-8b-tp1", "--pool", "prefill a100-llama-3.1-8b-tp1 8"]
    found = answer(capsys, *load, "--budget-cost", "14")

    assert found["cost_per_hour"] <= 14
    assert run([*LOAD, *SLO, *load, "--budget-cost", "5"]) == 2
    assert "--budget-cost: 5.0 is not allowed: at least 5.9" in capsys.readouterr().err


def test_every_class_is_told_of_and_meets_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    chat = "chat share=0.3 ttft=300ms tpot=20ms attainment=0.9"
    long = "batch share=0.2 ttft=20s tpot=100ms isl=9000 osl=400 isl-cv=0.5"
    more = ["--class", chat, "--class", long, "--ttft-tier", "1000=200ms", "--rate", "40"]
    found = answer(capsys, *more)

    assert found["feasible"]
    classes = found["predicted"]["classes"]
    assert list(classes) == ["chat", "batch", "others"]
    assert classes["chat"] >= 0.9
    assert min(classes["batch"], classes["others"]) >= 0.99
    assert run([*LOAD, *SLO, *more]) == 0
    told = capsys.readouterr().out.splitlines()
    (row,) = [line for line in told if line.startswith("batch")]
    assert row.split()[1:7] == ["20", "%", "20", "s", "100", "ms"]


@pytest.mark.parametrize(
    ("flag", "value", "said"),
    [
        ("--ttft-tier", "1000", "--ttft-tier: '' is not allowed"),
        ("--ttft-tier", "x=1s", "--ttft-tier: 'x=1s' is not allowed: TOKENS=DURATION"),
        ("--ttft-tier", "0=100ms", "--ttft-tier: 0 is not allowed: 1 token or more"),
        (
            "--ttft-tier",
            "9=9s",
            "--ttft-tier: 0.5 is not allowed: finite, above 0 seconds and no less",
        ),
        ("--class", "chat", "--class: 'chat' is not allowed: \"NAME share=S ...\""),
        ("--class", "", "--class: '' is not allowed"),
        ("--class", "chat share=2", "--class: 'share=2' is not allowed: above 0, at most 1"),
        ("--class", "chat share=x", "--class: 'chat share=x' is not allowed"),
        ("--class", "chat share=nan", "--class: 'share=nan' is not allowed"),
        ("--class", "chat share=0.1 when=now", "--class: 'chat share=0.1 when=now' is not allowed"),
        ("--class", "chat share=0.1 isl=100", "--osl: 'nothing' is not allowed"),
        ("--class", "chat share=0.1 attainment=1", "--class: 1.0 is not allowed"),
        ("--class", "others share=0.1", "--class: 'others' is not allowed"),
        ("--class", "chat share=0.1 ttft=1ms", "classes.chat.ttft: '1ms' is not allowed: at least"),
        ("--pool", "decode", "--pool: 'decode' is not allowed: \"ROLE PROFILE MOST\""),
        ("--pool", "decode nope 3", "--pool: 'nope' is not allowed: one of"),
        ("--pool", "encode h200-llama-3.1-8b-tp1 3", "--pool: 'encode h200"),
        (
            "--pool",
            "decode h200-qwen3-32b-tp2 3",
            "--pool: 'h200-qwen3-32b-tp2' is not allowed: a profile of",
        ),
        (
            "--pool",
            "decode h200-llama-3.1-8b-fp8-tp1 3",
            "--pool: 'h200-llama-3.1-8b-fp8-tp1' is not allowed: another one than --profile",
        ),
        ("--budget-cost", "1", "--budget-cost: 1.0 is not allowed: at least 8.2"),
    ],
)
def test_a_mistake_in_what_differs_is_one_line_and_exit_2(
    flag: str, value: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*LOAD, *SLO, flag, value]) == 2

    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith(f"error: {said}")
    assert told.err.count("\n") == 1


def test_classes_beyond_all_arrivals_and_other_rules_are_refused(
    capsys: pytest.CaptureFixture[str],
) -> None:
    twice = ["--class", "a share=0.6", "--class", "b share=0.6"]
    assert run([*LOAD, *SLO, *twice]) == 2
    assert "--class: 1.2 is not allowed: at most 1 in all" in capsys.readouterr().err
    assert run([*LOAD, *SLO, "--policy", "distserve", "--class", "a share=0.6"]) == 2
    assert "left out: distserve does not know of it" in capsys.readouterr().err


def test_variation_costs_replicas(capsys: pytest.CaptureFixture[str]) -> None:
    constant, varying = (
        answer(capsys, *more)
        for more in ((), ["--isl-cv", "1", "--osl-cv", "1", "--arrival-cv", "2"])
    )

    assert varying["accelerators"] > constant["accelerators"]


def test_bounds_and_budget_are_kept_and_told(capsys: pytest.CaptureFixture[str]) -> None:
    bound = answer(capsys, *["--rate", "100", "--budget-accelerators", "6", "--ratio-max", "1:1"])

    assert bound["prefill"] <= bound["decode"]
    assert bound["accelerators"] <= 6
    assert not bound["feasible"]
    assert "no pair within bounds, ratio and budget meets the SLO" in bound["reasons"]
    assert bound["predicted"]["ttft_s"]["p99"] is None


def test_a_trace_gives_rate_and_lengths(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trace = tmp_path / "trace.csv"
    rows = [f"2023-11-16 18:{i // 60:02}:{i % 60:02}.0,{400 + i},{20 + i % 7}" for i in range(601)]
    trace.write_text("TIMESTAMP,ContextTokens,GeneratedTokens\n" + "\n".join(rows))

    assert run(["plan", "--profile", "h200-llama-3.1-8b-tp1", "--trace", str(trace)]) == 0
    assert "1.002 requests/s of 700 input tokens" in capsys.readouterr().out


def test_people_are_told_the_why(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*LOAD, *SLO]) == 0
    told = capsys.readouterr().out

    for part in ("20 requests/s", "bottleneck", "TTFT", "2 prefill + 1 decode", "Next best"):
        assert part in told


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (
            "--ttft 10ms",
            "--ttft: '10ms' is not allowed: at least 82.3 ms, what one idle engine of h200",
        ),
        (
            "--tpot 4ms",
            "--tpot: '4ms' is not allowed: at least 4.5 ms, what one idle engine of h200",
        ),
        ("--rate 0", "--rate: 0.0 is not allowed: a finite number above 0"),
        ("--rate nan", "--rate: nan is not allowed: a finite number"),
        ("--isl 0", "--isl: 0.0 is not allowed: 1 to 10000000 tokens"),
        ("--osl nan", "--osl: nan is not allowed: 1 to 10000000 tokens"),
        ("--isl-cv -1", "--isl-cv: -1.0 is not allowed: a coefficient of variation from 0 to 5"),
        (
            "--arrival-cv 9",
            "--arrival-cv: 9.0 is not allowed: a coefficient of variation from 0 to 5",
        ),
        ("--attainment 1", "--attainment: 1.0 is not allowed: a share between 0 and 1"),
        (
            "--min-prefill 5 --max-prefill 4",
            "--min-prefill: 5 is not allowed: at most --max-prefill (4)",
        ),
        (
            "--ratio-min 3",
            "--ratio-min: '3' is not allowed: prefill to decode as two whole numbers",
        ),
        (
            "--ratio-min 3:1 --max-prefill 2",
            "--ratio-min: '3:1' is not allowed: a ratio that some pair",
        ),
        ("--budget-accelerators 1", "--budget-accelerators: 1 is not allowed: at least 2"),
        ("--profile nope", "--profile: 'nope' is not allowed: one of "),
        ("--trace x.csv", "--isl: 3000.0 is not allowed: left out: lengths come from the --trace"),
    ],
)
def test_a_mistake_is_one_line_and_exit_2(
    more: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*LOAD, *more.split()]) == 2

    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith(f"error: {said}")
    assert told.err.count("\n") == 1


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("--isl 10 --osl 10", "--rate: 'nothing' is not allowed: requests a second, or a --trace"),
        ("--rate 3 --osl 10", "--isl: 'nothing' is not allowed"),
    ],
)
def test_what_is_left_out_is_asked_for(
    line: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["plan", "--profile", "h200-llama-3.1-8b-tp1", *line.split()]) == 2
    assert capsys.readouterr().err.startswith(f"error: {said}")


LI = ["plan", "--policy", "li-mm1", "--param", "tp_max=28300", "--param", "tp_decode=1700"]
CASE = "--param overhead_s=0.1 --rate 12.52 --isl 6144 --osl 512 --ttft 2s --tpot 20ms --json"


def test_a_published_case_is_planned_by_its_own_rule(capsys: pytest.CaptureFixture[str]) -> None:
    """Li et al.: 3 prefill and 4 decode; without an engine nothing is predicted of them."""
    assert run([*LI, *CASE.split()]) == 0
    found = json.loads(capsys.readouterr().out)

    assert (found["policy"], found["prefill"], found["decode"]) == ("li-mm1", 3, 4)
    assert found["predicted"] is None
    assert found["accelerators"] is None
    assert "3.07 prefill" in found["reasons"][0]


def test_another_rule_is_judged_by_the_queueing_model(capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, "--policy", "tokenscale", "--rate", "80")

    assert not found["feasible"]
    assert found["predicted"]["attainment"] < 0.99
    assert run([*LOAD, *SLO, "--policy", "distserve"]) == 0
    told = capsys.readouterr().out
    assert "distserve: 20 requests/s" in told
    assert "TTFT" in told


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (
            "--policy li-mm1 --param tp_mx=1",
            "--param tp_mx: 1.0 is not allowed: one of headroom, overhead_s, tp_decode, tp_max,",
        ),
        ("--policy hpa --param target=2", "--param target: 2.0 is not allowed: from 0.01 to 1"),
        ("--policy hpa --param target", "--param: 'target' is not allowed: NAME=VALUE"),
        ("--policy magic", "--policy: 'magic' is not allowed: one of tandem, static, "),
        ("--policy static", "--param prefill: 'nothing' is not allowed: a number"),
        (
            "--policy dynamo-load --rate 60",
            "--policy: 'dynamo-load' is not allowed: one that settles at a steady load; this rule",
        ),
    ],
)
def test_a_mistake_about_a_rule_is_one_line(
    more: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*LOAD, *more.split()]) == 2

    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith(f"error: {said}")
    assert told.err.count("\n") == 1


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("", "the name of one that tandem profiles lists, or a file"),
        ("--policy li-mm1 --param tp_max=9", ", or --param tp_max and --param tp_decode"),
    ],
)
def test_a_rule_that_reads_an_engine_needs_one(
    rule: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["plan", *rule.split(), "--rate", "3", "--isl", "10", "--osl", "10"]) == 2

    told = capsys.readouterr().err
    assert told.startswith("error: --profile: 'nothing' is not allowed: ")
    assert said in told


SEARCH = ["plan", "--search", "--model", "Llama-3.1-8B-Instruct", "--isl", "3000", "--osl", "300"]


def options_of(capsys: pytest.CaptureFixture[str], *more: str) -> Any:
    assert run([*SEARCH, "--ttft", "1s", "--tpot", "40ms", *more, "--json"]) == 0
    return json.loads(capsys.readouterr().out)["options"]


def test_a_search_finds_the_engines_that_serve_most(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TANDEM_DATA", raising=False)
    found = options_of(capsys, "--budget-accelerators", "16")

    assert found[0]["prefill"]["profile"] == "b200-llama-3.1-8b-tp1"
    assert [each["rate"] for each in found] == sorted((e["rate"] for e in found), reverse=True)
    assert all(each["accelerators"] <= 16 for each in found)
    assert all(each["predicted"]["attainment"] >= 0.99 for each in found)


def test_a_search_with_a_rate_finds_the_fewest_accelerators(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TANDEM_DATA", raising=False)
    found = options_of(capsys, "--budget-accelerators", "16", "--rate", "40")

    counted = [each["accelerators"] for each in found]
    assert counted == sorted(counted)
    assert {each["rate"] for each in found} == {40.0}


@pytest.mark.data
@pytest.mark.usefixtures("data_folder")
def test_tables_add_other_tensor_parallelisms(capsys: pytest.CaptureFixture[str]) -> None:
    found = options_of(capsys, "--budget-accelerators", "16", "--rate", "40", "--tpot", "4ms")

    assert any(each["decode"]["accelerators"] > 1 for each in found)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("--search --isl 9 --osl 9", "--model: 'nothing' is not allowed: the model to --search"),
        ("--search --model x", "--model: 'x' is not allowed: one of Qwen/Qwen3-32B, facebook"),
        (
            "--search --model opt-13b --isl 9 --osl 9",
            "--budget-accelerators: 'nothing' is not allowed: the accelerators that --search",
        ),
        (
            "--search --model opt-13b --isl 9 --osl 9 --budget-accelerators 1",
            "--budget-accelerators: 1 is not allowed: enough for some engines of the model",
        ),
        ("--search --policy hpa", "--policy: 'hpa' is not allowed: left out: --search goes"),
    ],
)
def test_a_mistake_about_a_search_is_one_line(
    line: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["plan", *line.split()]) == 2

    told = capsys.readouterr().err
    assert told.startswith(f"error: {said}")
    assert told.count("\n") == 1


DOMAINS = ("--rate", "90", "--isl-cv", "0.5", "--domain", "east=8", "--domain", "west=8")


def test_it_tells_what_lies_in_which_domain(capsys: pytest.CaptureFixture[str]) -> None:
    found, free = answer(capsys, *DOMAINS), answer(capsys, *DOMAINS[:4])
    rows = found["placement"]["domains"]

    assert [row["name"] for row in rows] == ["east", "west"]
    assert sum(row["prefill"] for row in rows) == found["prefill"]
    assert sum(row["decode"] for row in rows) == found["decode"]
    assert sum(row["share"] for row in rows) == pytest.approx(1, abs=1e-5)
    assert all(row["prefill"] + row["decode"] <= row["accelerators"] for row in rows)
    assert found["accelerators"] > free["accelerators"]
    assert found["placement"]["reason"] in found["reasons"]
    assert found["feasible"]
    assert free["placement"] is None


def test_domains_are_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*LOAD, *SLO, *DOMAINS]) == 0

    shown = capsys.readouterr().out
    assert "domain  holds  prefill  decode  of all" in shown
    assert "in one domain 7 prefill and 2 decode would do" in shown


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("--domain east", "--domain: 'east' is not allowed: NAME=ACCELERATORS, such as zone-a=16"),
        ("--domain =8", "--domain: '=8' is not allowed: NAME=ACCELERATORS"),
        ("--domain east=0", "--domain: 'east=0' is not allowed: NAME=ACCELERATORS"),
        ("--domain east=-1", "--domain: 'east=-1' is not allowed: NAME=ACCELERATORS"),
        ("--domain east=1", "--domain: 'east=1' is not allowed: at least 2 accelerators in one"),
        ("--domain east=8 --domain east=8", "--domain: 'east' is not allowed: a name for each"),
        ("--domain east=8 --min-decode 9", "--domain: '8 accelerators' is not allowed: room for"),
        ("--domain east=8 --policy kpa", "--domain: 'east=8' is not allowed: left out: kpa does"),
    ],
)
def test_a_mistake_about_a_domain_is_one_line(
    line: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*LOAD, *SLO, *line.split()]) == 2

    told = capsys.readouterr().err
    assert told.startswith(f"error: {said}")
    assert told.count("\n") == 1
