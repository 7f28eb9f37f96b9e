"""The JSON that vLLM 0.32 answers with, key by key as recorded in tests/golden/vllm.

What an emulator never fills stands as null in a template; `|` keeps a template's order of keys.
"""

import json
from dataclasses import dataclass
from typing import Any, ClassVar

from tandem import __version__

FINGERPRINT = f"emulator-{__version__}"
DONE = b"data: [DONE]\n\n"
Body = dict[str, Any]
_HOLE = "\0"  # stands where a token's text goes; no other text holds it
_HOLE_JSON = json.dumps(_HOLE).strip('"').encode()


def _template(keys: str) -> Body:
    return dict.fromkeys(keys.split())


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens in and out."""

    prompt_tokens: int
    completion_tokens: int

    def body(self) -> Body:
        """The three figures of a stream's usage."""
        return {
            "prompt_tokens": self.prompt_tokens,
            "total_tokens": self.prompt_tokens + self.completion_tokens,
            "completion_tokens": self.completion_tokens,
        }


@dataclass(frozen=True, kw_only=True)
class Completion:
    """Bodies of /v1/completions."""

    id: str
    created: int
    model: str

    whole_object: ClassVar[str] = "text_completion"
    chunk_object: ClassVar[str] = "text_completion"
    whole_choice: ClassVar[Body] = _template(
        "index text logprobs finish_reason stop_reason token_ids prompt_logprobs"
        " prompt_token_ids routed_experts"
    )
    whole_extra: ClassVar[Body] = {}

    def whole(self, text: str, reason: str, usage: Usage, kv: Body | None) -> Body:
        """The answer to a request that does not stream."""
        choice = self.whole_choice | {"index": 0, "finish_reason": reason} | self.said(text)
        details = _template("prompt_tokens_details completion_tokens_details")
        return {
            **self._head(self.whole_object),
            "choices": [choice],
            "service_tier": None,
            "system_fingerprint": FINGERPRINT,
            "usage": usage.body() | details,
            **self.whole_extra,
            "kv_transfer_params": kv,
            "ec_transfer_params": None,
            "metrics": None,
        }

    def said(self, text: str) -> Body:
        """Where a whole answer carries its text."""
        return {"text": text}

    def opening(self, usage: Usage | None) -> bytes:  # noqa: ARG002 - a chat needs it
        """What a stream says before its first token."""
        return b""

    def chunk(self, text: str, reason: str | None, usage: Usage | None) -> bytes:
        """One token of a stream, with its running usage if that is told."""
        template = _template(
            "index text logprobs finish_reason stop_reason prompt_token_ids token_ids"
        )
        said = {"index": 0, "text": text, "finish_reason": reason}
        return self._chunk(template | said, usage)

    def usage(self, usage: Usage) -> bytes:
        """The end of a stream whose client asked for its usage."""
        end = {"choices": [], "usage": usage.body(), "system_fingerprint": FINGERPRINT}
        return _event(self._head(self.chunk_object) | end)

    def _chunk(self, choice: Body, usage: Usage | None) -> bytes:
        told = {} if usage is None else {"usage": usage.body()}
        return _event(self._head(self.chunk_object) | {"choices": [choice]} | told)

    def _head(self, kind: str) -> Body:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model}


@dataclass(frozen=True, kw_only=True)
class Chat(Completion):
    """Bodies of /v1/chat/completions."""

    whole_object: ClassVar[str] = "chat.completion"
    chunk_object: ClassVar[str] = "chat.completion.chunk"
    whole_choice: ClassVar[Body] = _template(
        "index message logprobs finish_reason stop_reason token_ids routed_experts"
    )
    whole_extra: ClassVar[Body] = _template("prompt_logprobs prompt_token_ids prompt_text")

    def said(self, text: str) -> Body:
        """Where a whole answer carries its text."""
        message = _template("role content refusal annotations audio function_call reasoning")
        return {"message": message | {"role": "assistant", "content": text}}

    def opening(self, usage: Usage | None) -> bytes:
        """The role, in a chunk of its own."""
        delta = {"role": "assistant", "content": ""}
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": None}
        rest = _template("prompt_token_ids prompt_text")
        if usage is not None:
            rest = {"usage": usage.body()} | rest
        return _event(self._head(self.chunk_object) | {"choices": [choice]} | rest)

    def chunk(self, text: str, reason: str | None, usage: Usage | None) -> bytes:
        """One token of a stream; only the last names a stop reason."""
        template = _template("index delta logprobs finish_reason")
        if reason is not None:
            template |= {"stop_reason": None}
        said = {"index": 0, "delta": {"content": text}, "finish_reason": reason}
        return self._chunk(template | said | {"token_ids": None}, usage)


def around_the_text(bodies: Completion) -> tuple[bytes, bytes]:
    """What stands before and after the text of every token but the last: built once a stream."""
    before, _, after = bodies.chunk(_HOLE, None, None).rpartition(_HOLE_JSON)
    return before, after


def with_running_usage(after: bytes, prompt_tokens: int) -> bytes:
    """What stands after a token's text, to be filled (%) with the tokens in all and put out."""
    usage = b',"usage":{"prompt_tokens":%d,"total_tokens":%%d,"completion_tokens":%%d}'
    return after.removesuffix(b"}\n\n") + usage % prompt_tokens + b"}\n\n"


def encoded(body: Body) -> bytes:
    """A body as bytes, without spaces."""
    return json.dumps(body, separators=(",", ":")).encode()


def _event(body: Body) -> bytes:
    return b"data: " + encoded(body) + b"\n\n"
