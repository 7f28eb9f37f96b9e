import json
from pathlib import Path
from typing import Any

import pytest

from tandem.gateway import handover
from tandem.gateway.failures import LegFailedError
from tandem.gateway.request import ClientRequest, Endpoint, parse

GOLDEN = Path(__file__).parents[1] / "golden" / "vllm"


def request(endpoint: Endpoint = Endpoint.COMPLETIONS, **body: Any) -> ClientRequest:
    given = {"prompt": "hi", "messages": [{"role": "user", "content": "hi"}], "seed": 7, **body}
    return parse(endpoint, json.dumps(given).encode(), "id", {})


def given(name: str) -> handover.Handover:
    return handover.parse_prefill((GOLDEN / name).read_bytes(), "p0", usable_until_s=9.0)


def body(content: bytes) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(content)
    return found


@pytest.mark.parametrize("name", ["prefill_response.json", "chat_prefill_response.json"])
def test_whatever_vllm_hands_over_is_passed_on_whole(name: str) -> None:
    recorded = json.loads((GOLDEN / name).read_bytes())
    sent = body(handover.decode_body(request(max_tokens=9, stream=True), given(name)))
    assert sent == {
        **request(max_tokens=9, stream=True).body,
        "kv_transfer_params": recorded["kv_transfer_params"],
    }
    assert given(name).prompt_tokens == recorded["usage"]["prompt_tokens"]


def test_the_prefill_leg_asks_for_one_token_that_is_not_streamed() -> None:
    asked = request(max_tokens=9, stream=True, stream_options={"include_usage": True}, min_tokens=5)
    sent = body(handover.prefill_body(asked))
    assert (sent["max_tokens"], sent["stream"], sent["seed"]) == (1, False, 7)
    assert sent["kv_transfer_params"] == {
        "do_remote_decode": True,
        "do_remote_prefill": False,
        "remote_engine_id": None,
        "remote_block_ids": None,
        "remote_host": None,
        "remote_port": None,
    }
    assert not {"stream_options", "min_tokens", "max_completion_tokens"} & sent.keys()


def test_a_chat_s_newer_bound_is_one_too() -> None:
    sent = body(handover.prefill_body(request(Endpoint.CHAT, max_completion_tokens=9)))
    assert (sent["max_tokens"], sent["max_completion_tokens"]) == (1, 1)


def test_stream_options_go_only_with_a_stream() -> None:
    options = {"include_usage": True}
    params = given("prefill_response.json")
    whole = body(handover.decode_body(request(stream_options=options), params))
    stream = body(handover.decode_body(request(stream=True, stream_options=options), params))
    assert "stream_options" not in whole
    assert stream["stream_options"] == options


def test_a_release_is_a_decode_leg_of_one_streamed_token() -> None:
    params = given("prefill_response.json")
    sent = body(handover.release_body(request(max_tokens=500, min_tokens=5), params))
    assert (sent["max_tokens"], sent["stream"]) == (1, True)
    assert sent["kv_transfer_params"] == dict(params.params)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        pytest.param((GOLDEN / "abort_prefill_response.json").read_bytes(), "abort", id="drains"),
        pytest.param((GOLDEN / "decode_response.json").read_bytes(), "no_kv", id="no connector"),
        pytest.param(b"not json", "error", id="no JSON"),
        pytest.param(b"[]", "error", id="no object"),
        pytest.param(b"{}", "error", id="no usage"),
    ],
)
def test_an_answer_without_a_handover_is_a_failed_leg(answer: bytes, reason: str) -> None:
    with pytest.raises(LegFailedError) as failed:
        handover.parse_prefill(answer, "p0", usable_until_s=9.0)
    assert (failed.value.reason, failed.value.pod) == (reason, "p0")


@pytest.mark.parametrize(
    ("usage", "params", "cached"),
    [
        pytest.param({"prompt_tokens": 9}, {"a": 1}, 0, id="not said"),
        pytest.param(
            {"prompt_tokens": 9, "prompt_tokens_details": {"cached_tokens": 4}},
            {"a": 1},
            4,
            id="in the usage",
        ),
        pytest.param(
            {"prompt_tokens": 9, "prompt_tokens_details": None},
            {"remote_prefill_cached_tokens": 3},
            3,
            id="in the hand-over",
        ),
    ],
)
def test_cached_tokens_are_those_that_the_prefill_pod_found(
    usage: dict[str, Any], params: dict[str, Any], cached: int
) -> None:
    answer = json.dumps({"usage": usage, "kv_transfer_params": params}).encode()
    assert handover.parse_prefill(answer, "p0", 0.0).cached_tokens == cached
