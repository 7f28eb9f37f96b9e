from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from tests.tandem_engine.emulator.golden import golden_json, golden_stream, shape, shapes
from tests.tandem_engine.emulator.rig import PROMPT, Rig, rig

pytestmark = pytest.mark.asyncio(loop_scope="module")
CHAT = [{"role": "user", "content": "Tell me of queues."}]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def engine() -> AsyncIterator[Rig]:
    async with rig() as running:
        yield running


async def test_a_prefill_leg_answers_as_vllm_does(engine: Rig) -> None:
    asked = {"prompt": PROMPT, "max_tokens": 1, "kv_transfer_params": {"do_remote_decode": True}}
    _, body = await engine.post("/v1/completions", asked, {"X-Request-Id": "x"})
    assert shape(body) == shape(golden_json("prefill_response.json"))
    handover = body["kv_transfer_params"]
    assert body["id"] == "cmpl-x"
    assert handover["remote_request_id"].startswith("cmpl-x-0-")
    assert handover["remote_num_tokens"] == len(PROMPT)
    assert handover["remote_port"] == engine.emulator.settings.side_channel_port


async def test_a_chat_prefill_leg_answers_as_vllm_does(engine: Rig) -> None:
    asked = {"messages": CHAT, "max_tokens": 1, "kv_transfer_params": {"do_remote_decode": True}}
    _, body = await engine.post("/v1/chat/completions", asked, {"X-Request-Id": "x"})
    assert shape(body) == shape(golden_json("chat_prefill_response.json"))
    assert body["id"] == "chatcmpl-x"


async def test_a_whole_answer_is_shaped_as_vllms(engine: Rig) -> None:
    body = await engine.complete(max_tokens=3)
    assert shape(body) == shape(golden_json("decode_response.json"))
    assert body["usage"]["completion_tokens"] == 3
    assert body["choices"][0]["finish_reason"] == "length"


@pytest.mark.parametrize(
    ("sample", "path", "options"),
    [
        pytest.param("decode_stream.txt", "completions", {"include_usage": True}, id="completion"),
        pytest.param("chat_stream.txt", "chat/completions", {"include_usage": True}, id="chat"),
        pytest.param(
            "stream_continuous_usage.txt",
            "completions",
            {"include_usage": True, "continuous_usage_stats": True},
            id="running usage",
        ),
    ],
)
async def test_a_stream_is_shaped_as_vllms(
    engine: Rig, sample: str, path: str, options: Any
) -> None:
    asked = {"messages": CHAT} if path.startswith("chat") else {"prompt": PROMPT}
    stream = await engine.stream(5, f"/v1/{path}", stream_options=options, **asked)
    assert shapes(stream) == shapes(golden_stream(sample))
    usage = stream.bodies[-1]["usage"]
    assert usage["completion_tokens"] == 5
    assert usage["total_tokens"] == usage["prompt_tokens"] + 5


async def test_running_usage_counts_every_token(engine: Rig) -> None:
    options = {"include_usage": True, "continuous_usage_stats": True}
    stream = await engine.stream(5, stream_options=options)
    told = [body["usage"] for body in stream.bodies]
    assert [usage["completion_tokens"] for usage in told] == [1, 2, 3, 4, 5, 5]
    assert all(usage["total_tokens"] - usage["completion_tokens"] == 60 for usage in told)


async def test_a_stream_says_what_a_whole_answer_says(engine: Rig) -> None:
    stream = await engine.stream(6)
    whole = await engine.text(max_tokens=6)
    assert stream.text == whole
    assert len(stream.bodies) == 6
    assert stream.reason == "length"


async def test_it_never_passes_for_a_real_engine(engine: Rig) -> None:
    body = await engine.complete()
    named = await engine.value("tandem_emulator_info", profile="slow")
    assert body["system_fingerprint"].startswith("emulator-")
    assert named == 1


@pytest.mark.parametrize(
    ("body", "tokens"),
    [
        pytest.param({"prompt": [5, 6, 7]}, 3, id="token ids"),
        pytest.param({"prompt": [[5, 6, 7]]}, 3, id="one prompt in a list"),
        pytest.param({"prompt": "12345"}, 2, id="text rounds up"),
        pytest.param({"prompt": "äöü!"}, 2, id="bytes, not characters"),
        pytest.param({"messages": [{"role": "u", "content": "12345"}]}, 3, id="chat"),
        pytest.param(
            {"messages": [{"role": "u", "content": [{"type": "text", "text": "12345"}]}]},
            3,
            id="parts of a message",
        ),
    ],
)
async def test_a_prompt_counts_a_token_per_four_bytes(engine: Rig, body: Any, tokens: int) -> None:
    path = "/v1/chat/completions" if "messages" in body else "/v1/completions"
    _, answer = await engine.post(path, {**body, "max_tokens": 1})
    assert answer["usage"]["prompt_tokens"] == tokens


async def test_without_max_tokens_a_completion_is_sixteen_and_a_chat_fills_its_context() -> None:
    async with rig(max_model_len=24) as engine:
        completion = await engine.post("/v1/completions", {"prompt": [1]})
        chat = await engine.post("/v1/chat/completions", {"messages": CHAT})
    assert completion[1]["usage"]["completion_tokens"] == 16
    assert chat[1]["usage"]["total_tokens"] == 24


@pytest.mark.parametrize(
    ("asked", "sample"),
    [
        pytest.param({"model": "other", "prompt": [1]}, "error_model.json", id="model"),
        pytest.param({"prompt": [1], "max_tokens": -1}, "error_bad_request.json", id="output"),
        pytest.param({"prompt": [1], "max_tokens": 5000}, "error_too_long.json", id="too long"),
    ],
)
async def test_a_mistake_is_told_in_vllms_words(engine: Rig, asked: Any, sample: str) -> None:
    status, body = await engine.post("/v1/completions", asked)
    said = golden_json(sample)
    assert body == said
    assert status == said["error"]["code"]


@pytest.mark.parametrize(
    ("asked", "word"),
    [
        pytest.param({"prompt": [1] * 3000}, "2048", id="prompt over the context"),
        pytest.param({"prompt": []}, "empty", id="no prompt"),
        pytest.param({"prompt": [1], "n": 2}, "n must be 1", id="two choices"),
        pytest.param({"prompt": ["a", "b"]}, "one prompt", id="two prompts"),
        pytest.param({"prompt": [2**40]}, "vocabulary", id="no token's id"),
        pytest.param({}, "body.prompt", id="nothing"),
    ],
)
async def test_what_cannot_be_served_is_refused(engine: Rig, asked: Any, word: str) -> None:
    status, body = await engine.post("/v1/completions", asked)
    assert status == 400
    assert word in body["error"]["message"]


async def test_broken_json_is_refused_as_a_bad_request(engine: Rig) -> None:
    url = engine.url + "/v1/completions"
    headers = {"Content-Type": "application/json"}
    async with engine.session.post(url, data=b'{"prompt', headers=headers) as response:
        status, body = response.status, await response.json()
    assert (status, body["error"]["type"]) == (400, "Bad Request")
