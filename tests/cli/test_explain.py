"""`tandem explain`: of a plan, of a folder, of a fleet; what is none of them is told in a line."""

import asyncio
import io
import json
import re
import time
from pathlib import Path
from typing import Any

import pytest
from tests.api import documents
from tests.fakes.kubernetes_api import FakeApiServer
from tests.planner.builders import D, P, observation, pair, spec
from tests.planner.test_decisions import told

from tandem.cli.explain import cluster
from tandem.cli.main import run
from tandem.cluster.kubernetes.api import FLEET, KubernetesApi
from tandem.cluster.kubernetes.decisions import ConfigMapDecisions
from tandem.planner.decisions import Decisions, to_text
from tandem.planner.explain import explained
from tandem.planner.explanation import Explanation
from tandem.planner.model import Memory
from tandem.planner.observation import Figure, Missing
from tandem.planner.spec import Behavior

PLAN = [
    *("plan", "--profile", "h200-llama-3.1-8b-fp8-tp1", "--rate", "200", "--isl", "3000"),
    *("--osl", "150", "--ttft", "500ms", "--tpot", "40ms", "--json"),
]
OWNER = {"apiVersion": "tandem.dev/v1alpha1", "kind": "DisaggregatedLLM", "name": "chat"}


def planned(capsys: pytest.CaptureFixture[str], *more: str) -> str:
    assert run([*PLAN, *more]) == 0
    return capsys.readouterr().out


def shown(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert run(["explain", *words]) == 0
    return capsys.readouterr().out


def live(at_s: float) -> Explanation:
    """A busy fleet with a limit that bites."""
    asked = spec(high=(9, 4), behavior=Behavior(up_max_step=6))
    seen = observation(
        at_s,
        rate_rps=100.0,
        pods=pair(4, 3),
        finished=Figure(100.0, age_s=4.0),
        met_both=Figure(97.0),
        ttft_s=Figure(0.4),
        queued_tokens=Missing("no scrape for 75 s"),
    )
    return explained(seen, Memory(), asked)


def with_fleet(status: dict[str, Any] | None = None) -> FakeApiServer:
    server = FakeApiServer()
    metadata = {"name": "chat", "namespace": "prod", "generation": 1, "uid": "u1"}
    server.put({**documents.fleet(), "metadata": metadata, "status": status or {}})
    return server


@pytest.fixture
def reached(monkeypatch: pytest.MonkeyPatch) -> FakeApiServer:
    """A cluster with the fleet prod/chat, which the command finds."""
    server = with_fleet()

    async def connect() -> KubernetesApi:
        return server.api()

    monkeypatch.setattr(KubernetesApi, "connect", connect)
    monkeypatch.setattr(cluster, "default_namespace", lambda: "prod")
    return server


def keep(server: FakeApiServer, *decisions: Explanation) -> None:
    store = ConfigMapDecisions(server.api(), "prod", "chat", OWNER)
    asyncio.run(store.save(Decisions(decisions)))


# -- plans ------------------------------------------------------------------------------------------


def test_a_plan_is_explained_from_the_arrivals_to_what_would_change_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "plan.json"
    path.write_text(planned(capsys, "--budget-accelerators", "16"))
    text = shown(capsys, str(path))

    parts = [
        "200 requests/s",
        "Unclamped: 14 prefill + 5 decode",
        "bounds: 14 prefill + 5 decode -> 12 prefill + 4 decode",
        "Result: 12 prefill + 4 decode",
        "prefillCompute  109 %",
        "Runner-up",
        "budget accelerators 19 instead of 16",
    ]
    places = [text.find(part) for part in parts]
    assert -1 not in places, text
    assert places == sorted(places)


def test_the_block_of_a_plan_says_no_other_than_its_keys(
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = json.loads(planned(capsys))
    block = found["explanation"]

    assert block["result"] == {"prefill": found["prefill"], "decode": found["decode"]}
    assert block["runner_up"]["reason"] == found["runner_up"]["reason"]
    assert block["notes"] == found["reasons"]


def test_a_load_that_is_said_to_take_one_more_takes_it(capsys: pytest.CaptureFixture[str]) -> None:
    for more in json.loads(planned(capsys))["explanation"]["what_if"]["more"]:
        beyond = json.loads(planned(capsys, "--rate", str(1.01 * more["rate_rps"])))
        before = json.loads(planned(capsys, "--rate", str(more["rate_rps"] / 1.01)))

        assert beyond[more["role"]] == more["replicas"] == before[more["role"]] + 1


def test_what_another_rule_settles_on_is_explained(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(planned(capsys, "--policy", "li-mm1")))
    text = shown(capsys, "-")

    assert "policy li-mm1" in text
    assert "li-mm1: " in text.split("Unclamped")[1]


def test_json_is_read_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = tmp_path / "plan.json", tmp_path / "explained.json"
    first.write_text(planned(capsys))
    second.write_text(shown(capsys, str(first), "--json"))

    assert (
        json.loads(second.read_text())["explanation"]
        == json.loads(first.read_text())["explanation"]
    )
    assert shown(capsys, str(second), "--json") == second.read_text()


# -- tandem up --------------------------------------------------------------------------------------


def test_a_folder_of_tandem_up_is_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "decisions.json").write_text(to_text(Decisions((told(5.0), told(1.0, 1, 2)))))

    assert "2 prefill + 1 decode, as before" in shown(capsys, str(tmp_path))
    assert "1 prefill + 1 decode -> 2 prefill + 1 decode" in shown(
        capsys, str(tmp_path), "--back", "1"
    )


# -- fleets -----------------------------------------------------------------------------------------


def test_a_fleet_is_explained_from_what_its_operator_kept(
    reached: FakeApiServer, capsys: pytest.CaptureFixture[str]
) -> None:
    keep(reached, live(time.time() - 90), live(time.time() - 200))
    text = " ".join(shown(capsys, "chat", "-n", "prod").split())  # as if no line were wrapped

    for part in (
        "chat: ",
        "UTC, 0:01:3",
        "4 prefill + 3 decode -> 9 prefill + 4 decode",
        "100 requests/s",
        "not used: ",
        "queuedTokens (no scrape for 75 s)",
        "bounds: ",
        "did not bite: hold, ",
        "observed, means",
        "97 %",
        "prefill max 10 instead of 9",
        "1 earlier: --back 1 to 1",
    ):
        assert part in text, (part, text)


def test_it_reads_in_eighty_columns_without_colours(
    reached: FakeApiServer, capsys: pytest.CaptureFixture[str]
) -> None:
    keep(reached, live(time.time()))
    text = shown(capsys, "chat")

    assert max(len(line) for line in text.splitlines()) <= 80
    assert not re.search(r"\x1b", text)


def test_where_the_operator_kept_nothing_the_status_is_told(
    monkeypatch: pytest.MonkeyPatch, reached: FakeApiServer, capsys: pytest.CaptureFixture[str]
) -> None:
    last = {
        "time": "2026-05-01T12:00:00Z",
        "inputs": {"arrivalsPerSecond": 12.5},
        "unclamped": {"prefill": 5, "decode": 4},
        "clamps": [
            {"limit": "max", "role": "prefill", "before": 5, "after": 3, "reason": "the maximum"}
        ],
        "final": {"prefill": 3, "decode": 4},
        "reason": "ready for 14",
        "counterfactual": {"replicas": {"prefill": 4, "decode": 4}, "reason": "costs more"},
    }
    reached.objects[FLEET, "prod", "chat"]["status"] = {"lastDecision": last}
    text = shown(capsys, "chat")

    for part in (
        "2026-05-01 12:00:00 UTC",
        "12.5 requests/s",
        "Unclamped: 5 prefill + 4 decode",
        "max: 5 prefill + 4 decode -> 3 prefill + 4 decode, the maximum",
        "4 prefill + 4 decode: costs more",
        "TTFT 500 ms and TPOT 40 ms for 99 % of all requests",
    ):
        assert part in text, (part, text)


# -- mistakes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "this is no JSON"),
        ("[" * 100_000, "this is no JSON"),
        ("7", "this is no object"),
        ("[]", "this list is empty"),
        ("{}", "this is another object"),
        ('{"engines": 3, "options": []}', "--search lists options, no plan"),
        ('{"prefill": 3, "decode": 1, "reasons": []}', "an older tandem wrote this one: plan anew"),
        ('{"prefill": 3, "decode": 1, "explanation": null}', "an older tandem wrote this one"),
        ('{"explanation": {"policy": "tandem"}}', "slo is wrong: Field required"),
        ('{"explanation": 7}', "is wrong: Input should be a dictionary"),
    ],
)
def test_what_is_no_plan_is_one_line_and_exit_2(
    text: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x.json"
    path.write_text(text)

    assert run(["explain", str(path)]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: FILE: {str(path)!r} is not allowed: ")
    assert said in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "said"),
    [("gone.json", "a file that is"), ("", "a folder in which tandem up wrote decisions.json")],
)
def test_what_is_not_there_is_said(
    name: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["explain", str(tmp_path / name)]) == 2
    assert said in capsys.readouterr().err


def test_bytes_that_are_no_text_are_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(b"\xff\xfe\x00")
    assert run(["explain", str(path)]) == 2
    assert "a text that can be read" in capsys.readouterr().err


def test_a_fleet_that_is_not_there_is_said_with_those_that_are(
    reached: FakeApiServer, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["explain", "caht"]) == 2
    assert (
        capsys.readouterr().err
        == "error: NAME: 'caht' is not allowed: a fleet in namespace prod: chat\n"
    )
    assert run(["explain", "chat", "-n", "test"]) == 2
    assert "a fleet in namespace test: there is none" in capsys.readouterr().err


def test_a_fleet_that_decided_nothing_yet_is_said(
    reached: FakeApiServer, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["explain", "chat"]) == 2
    assert "a fleet whose operator has decided something yet" in capsys.readouterr().err


def test_more_than_is_kept_is_said(
    reached: FakeApiServer, capsys: pytest.CaptureFixture[str]
) -> None:
    keep(reached, told(5.0))
    assert run(["explain", "chat", "--back", "1"]) == 2
    assert "--back: 1 is not allowed: 0 to 0: so many are kept" in capsys.readouterr().err


def test_without_a_cluster_it_says_what_was_looked_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = str(tmp_path / "kubeconfig")
    monkeypatch.setattr("kubernetes.aio.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", missing)
    monkeypatch.setenv("KUBECONFIG", missing)
    assert run(["explain", "chat"]) == 2
    assert "no way to a cluster" in capsys.readouterr().err


def test_both_roles_are_told() -> None:
    assert set(live(0.0).reasons) == {P, D}
