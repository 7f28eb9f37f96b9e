"""Real vLLM pods that the operator makes and scales: right tokens, from KV moved between pods."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from e2e.fleet import Fleet
from e2e.gateway_process import metric
from e2e.vllm.pods import profile, real
from e2e.vllm.users import LENGTHS, Answer, Ask, ask, chat, send_all

from tandem.cluster.kubernetes import labels

pytestmark = pytest.mark.e2e

START_S = 600.0  # two pods take a minute alone; other work may have both cores
SOURCES = "vllm:prompt_tokens_by_source_total"
LOAD = [ask(100 + number, 200, tokens=100) for number in range(8)]


def url(pod: dict[str, Any]) -> str:
    """An engine pod's address, in the cluster's network."""
    return f"http://{pod['status']['podIP']}:{labels.ENGINE_PORT}"


def ready(fleet: Fleet, role: str) -> int:
    return int(fleet.status["roles"][role]["ready"])


def answers(to: str, asks: list[Ask]) -> list[Answer]:
    return asyncio.run(send_all(to, asks, at_once=8))


def fetched(pod: dict[str, Any]) -> float:
    """Prompt tokens whose KV a decode pod has taken over: all that it was asked for."""
    moved = metric(url(pod), SOURCES, source="external_kv_transfer")
    assert metric(url(pod), SOURCES) == moved, "no other source: nothing computed, no hits"
    return moved


def prompt_tokens(got: list[Answer]) -> int:
    return sum(answer.prompt_tokens for answer in got)


def test_real_pods_hand_over_kv_and_so_does_one_that_the_operator_adds(
    fleet: Fleet, vllm_python: Path, tiny_model: Path
) -> None:
    fleet.apply(profile(), real(vllm_python, tiny_model))
    fleet.until_ready(START_S)
    (prefill,), (first,) = fleet.pods("prefill"), fleet.pods("decode")
    asks = [ask(number, length) for number, length in enumerate(LENGTHS)] + [chat()]
    got = answers(fleet.url, asks)
    assert got == answers(url(prefill), asks), "as one engine says that does all of it"
    assert len({answer.text for answer in got}) == len(asks)
    assert fetched(first) == prompt_tokens(got)

    two = {"spec": {"decode": {"replicas": {"min": 2, "max": 2}}}}
    fleet.kubectl("patch", "dllm", fleet.name, "--type=merge", "-p", json.dumps(two))
    fleet.until("a second decode pod", lambda: ready(fleet, "decode") == 2, START_S)
    uid = first["metadata"]["uid"]
    (second,) = (pod for pod in fleet.pods("decode") if pod["metadata"]["uid"] != uid)
    more = answers(fleet.url, LOAD)
    assert more == answers(url(prefill), LOAD)
    assert fetched(second) > 0, "it took a share"
    assert fetched(first) + fetched(second) == prompt_tokens(got + more)
    assert fleet.pods("prefill")[0]["metadata"]["uid"] == prefill["metadata"]["uid"]
