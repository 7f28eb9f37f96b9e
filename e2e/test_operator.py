"""Tandem on a real Kubernetes: what a person asks for comes true, and stays so."""

import json
import threading
import time
from typing import Any

import pytest
import requests
from e2e.cluster.places import BoxError
from e2e.fleet import MODEL, ROLES, Fleet, emulated
from e2e.gateway_process import metric
from e2e.manifests import NAMESPACE
from e2e.traffic import steady

from tandem.cluster import series

pytestmark = pytest.mark.e2e


def ask(url: str, **body: Any) -> dict[str, Any]:
    """One completion."""
    whole = {"model": MODEL, "prompt": "one two three", "max_tokens": 4, **body}
    answer = requests.post(f"{url}/v1/completions", json=whole, timeout=60)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def test_a_fleet_is_made_and_answers(serving: Fleet) -> None:
    answer = ask(serving.url)
    assert answer["usage"]["completion_tokens"] == 4
    assert "emulator" in answer["system_fingerprint"]
    text = serving.kubectl("explain", "dllm.spec.slo.ttft")
    assert "Time to first token" in text
    headings, row, *_ = serving.kubectl("get", "dllm").splitlines()
    assert headings.split()[:4] == ["NAME", "READY", "PREFILL", "DECODE"]
    assert row.split()[:4] == ["chat", "True", "1/1", "1/1"]


def test_editing_the_slo_restarts_no_engine_pod(serving: Fleet) -> None:
    before = engine_uids(serving)
    gateway = serving.pods("gateway")[0]["metadata"]["uid"]
    slo = {"spec": {"slo": {"ttft": {"target": "3s"}}}}
    serving.kubectl("patch", "dllm", "chat", "--type=merge", "-p", json.dumps(slo))

    serving.until(
        "a new gateway alone",
        lambda: gateway not in {pod["metadata"]["uid"] for pod in serving.pods("gateway")},
    )
    assert ask(serving.url)["usage"]["completion_tokens"] == 4
    assert engine_uids(serving) == before


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        pytest.param(
            {"prefill": {"replicas": {"min": 5, "max": 4}}}, "at most replicas.max", id="min > max"
        ),
        pytest.param(
            {"autoscaling": {"ratio": {"min": {"prefill": 9, "decode": 1}}}},
            "bounds that some pair of replicas",
            id="ratio out of reach",
        ),
        pytest.param(
            {"autoscaling": {"budget": {"accelerators": 1}}},
            "at least the accelerators of replicas.min",
            id="budget below the minima",
        ),
        pytest.param(
            {"autoscaling": {"schedules": [{"cron": "0 9 * * *", "lasts": "1h", "decodeMin": 99}]}},
            "at most replicas.max of the role",
            id="floor above the maximum",
        ),
        pytest.param(
            {"slo": {"ttft": {"target": "soon"}, "tpot": {"target": "40ms"}}},
            "spec.slo.ttft.target",
            id="no duration",
        ),
        pytest.param(
            {"slo": {"ttft": {"target": "0s"}, "tpot": {"target": "40ms"}}},
            "a duration above 0s",
            id="zero duration",
        ),
        pytest.param({"engine": {"drain": "10s"}}, "at least kvTransfer.lease", id="short drain"),
        pytest.param({"metrics": {"source": "prometheus"}}, "metrics.prometheus.url", id="no url"),
    ],
)
def test_the_api_server_refuses_a_mistake_with_our_words(
    fleet: Fleet, spec: dict[str, Any], words: str
) -> None:
    wrong = emulated()
    for part, change in spec.items():
        wrong["spec"][part] = wrong["spec"].get(part, {}) | change

    with pytest.raises(BoxError, match=words):
        fleet.apply(wrong)


def test_replicas_that_a_human_sets_are_put_back_and_said(serving: Fleet) -> None:
    name = serving.deployment("decode")["metadata"]["name"]
    serving.kubectl("scale", "deployment", name, "--replicas=3")

    serving.until("decode has one replica again", lambda: serving.replicas() == (1, 1), 10)
    serving.until("it is said", lambda: serving.events("ReplicasPutBack"), 10)
    assert "was set to 3 by somebody else and is 1 again" in serving.events("ReplicasPutBack")[0]


def test_a_paused_fleet_is_left_alone(serving: Fleet) -> None:
    told = serving.events("ReplicasPutBack")
    pause = {"spec": {"autoscaling": {"mode": "Paused"}}}
    serving.kubectl("patch", "dllm", "chat", "--type=merge", "-p", json.dumps(pause))
    serving.until("it says so", lambda: serving.condition("Paused").get("status") == "True", 10)
    name = serving.deployment("decode")["metadata"]["name"]
    serving.kubectl("scale", "deployment", name, "--replicas=2")
    serving.until(
        "two decode pods are Ready", lambda: serving.status["roles"]["decode"]["ready"] == 2
    )

    time.sleep(3)
    assert serving.replicas() == (1, 2)
    resume = {"spec": {"autoscaling": {"mode": "Auto"}}}
    serving.kubectl("patch", "dllm", "chat", "--type=merge", "-p", json.dumps(resume))
    serving.until(
        "it is scaled again", lambda: serving.condition("Paused").get("status") == "False"
    )
    assert serving.events("ReplicasPutBack") == told


def test_two_fleets_do_not_touch_each_other(fleet: Fleet) -> None:
    fleet.apply(emulated("one"), emulated("two"))
    one, two = (Fleet(fleet.box, fleet.namespace, name) for name in ("one", "two"))
    one.until_ready()
    two.until_ready()
    before = engine_uids(two)
    one.play(steady(4, 1200, 60), 4)
    one.kubectl("delete", "dllm", "one")

    one.until("the first is gone", lambda: not one.pods("prefill") + one.pods("decode"), 60)
    assert engine_uids(two) == before
    assert two.replicas() == (1, 1)
    assert ask(two.url)["usage"]["completion_tokens"] == 4


def test_an_operator_that_is_killed_while_it_scales_goes_on_where_it_was(fleet: Fleet) -> None:
    body = emulated()
    body["spec"]["prefill"]["replicas"] = {"min": 1, "max": 4}
    fleet.apply(body)
    fleet.until_ready()
    before = engine_uids(fleet)
    more = {"spec": {role: {"replicas": {"min": 3}} for role in ROLES}}
    fleet.kubectl("patch", "dllm", "chat", "--type=merge", "-p", json.dumps(more))
    fleet.until("the first step", lambda: fleet.replicas() != (1, 1), 20)
    kill_the_operator(fleet)

    fleet.until("both have three", lambda: fleet.replicas() == (3, 3), 60)
    fleet.until("all are Ready", lambda: ready(fleet) == (3, 3), 60)
    assert before <= engine_uids(fleet)
    assert len(engine_uids(fleet)) == 6


def test_a_fleet_deleted_without_an_operator_finishes_its_streams_and_is_gone(fleet: Fleet) -> None:
    fleet.apply(emulated())
    fleet.until_ready()
    answers: list[dict[str, Any]] = []
    streams = [
        threading.Thread(target=lambda: answers.append(ask(fleet.url, max_tokens=400)))
        for _ in range(4)
    ]
    operator = ("-n", NAMESPACE, "scale", "deployment/tandem")
    fleet.box.kubectl(*operator, "--replicas=0")
    try:
        for stream in streams:
            stream.start()
        fleet.until(
            "all stream", lambda: metric(fleet.url, series.IN_FLIGHT, role="decode") == len(streams)
        )
        fleet.kubectl("delete", "dllm", "chat")
        for stream in streams:
            stream.join(60)
        assert [answer["usage"]["completion_tokens"] for answer in answers] == [400] * 4
        fleet.until("nothing is left", lambda: not left(fleet), 90)
    finally:
        fleet.box.kubectl(*operator, "--replicas=1")
        fleet.box.kubectl("-n", NAMESPACE, "rollout", "status", "deployment/tandem")


def engine_uids(fleet: Fleet) -> set[str]:
    """Engine pods of a fleet, by what tells a pod from the one after it."""
    return {pod["metadata"]["uid"] for role in ROLES for pod in fleet.pods(role)}


def ready(fleet: Fleet) -> tuple[int, int]:
    """Ready pods of both roles, as the status tells."""
    prefill, decode = (fleet.status["roles"][role]["ready"] for role in ROLES)
    return prefill, decode


def kill_the_operator(fleet: Fleet) -> None:
    """SIGKILL, as a lost node would."""
    pod = fleet.box.kubectl(
        "-n", NAMESPACE, "delete", "pod", "-l", "app.kubernetes.io/name=tandem-operator",
        "--grace-period=0", "--force",
    )  # fmt: skip
    assert "deleted" in pod


def left(fleet: Fleet) -> str:
    """What of a fleet is still there."""
    kinds = "deployments,pods,services,configmaps,poddisruptionbudgets,serviceaccounts"
    return fleet.kubectl("get", kinds, "-l", "tandem.dev/managed=true", "-o", "name")
