"""What a client may send: the fields that change what an emulator does; all others pass unread."""

from enum import StrEnum, auto
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from tandem_engine.emulator.tokens import text_tokens, token_bytes

DEFAULT_MAX_TOKENS = 16  # of /v1/completions, as vLLM's and OpenAI's


class _Request(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class UsageTold(StrEnum):
    """When a stream tells its usage."""

    NEVER = auto()
    AT_END = auto()
    ALWAYS = auto()


class StreamOptions(_Request):
    """What a stream says beside its tokens."""

    include_usage: bool = False
    continuous_usage_stats: bool = False


class GenerationRequest(_Request):
    """What both surfaces share."""

    model: str | None = None
    n: int = 1
    stream: bool = False
    stream_options: StreamOptions | None = None
    max_tokens: int | None = None
    kv_transfer_params: dict[str, Any] | None = None

    @property
    def usage_told(self) -> UsageTold:
        """When a stream tells its usage."""
        options = self.stream_options
        if options is None or not options.include_usage:
            return UsageTold.NEVER
        return UsageTold.ALWAYS if options.continuous_usage_stats else UsageTold.AT_END

    @property
    def leaves_kv(self) -> bool:
        """Whether this is a prefill leg: its KV stays for a peer."""
        return bool((self.kv_transfer_params or {}).get("do_remote_decode"))


TokenIds = list[int]
PromptText = str
Prompt = Annotated[
    PromptText | TokenIds | list[PromptText] | list[TokenIds], Field(union_mode="left_to_right")
]


class CompletionRequest(GenerationRequest):
    """POST /v1/completions."""

    prompt: Prompt

    def prompts(self) -> list[PromptText | TokenIds]:
        """The prompts, one each."""
        if isinstance(self.prompt, str) or not self.prompt or isinstance(self.prompt[0], int):
            return [self.prompt]  # type: ignore[list-item]
        return list(self.prompt)

    def output_tokens(self, room: int) -> int:  # noqa: ARG002 - a chat needs it
        """Tokens asked for, when `room` is left in the context."""
        return DEFAULT_MAX_TOKENS if self.max_tokens is None else self.max_tokens


class ContentPart(_Request):
    """One part of a message; only text counts."""

    type: str = "text"
    text: str = ""


class Message(_Request):
    """One turn of a chat."""

    role: str
    content: str | list[ContentPart] | None = None

    @property
    def text(self) -> str:
        """What the turn says."""
        if isinstance(self.content, list):
            return "".join(part.text for part in self.content)
        return self.content or ""


class ChatRequest(GenerationRequest):
    """POST /v1/chat/completions."""

    messages: Annotated[list[Message], Field(min_length=1)]
    max_completion_tokens: int | None = None

    def prompts(self) -> list[PromptText | TokenIds]:
        """The chat as the one prompt that a template makes of it."""
        return ["".join(f"{turn.role}: {turn.text}\n" for turn in self.messages)]

    def output_tokens(self, room: int) -> int:
        """Tokens asked for, when `room` is left in the context; all of it by default."""
        asked = (
            self.max_tokens if self.max_completion_tokens is None else self.max_completion_tokens
        )
        return room if asked is None else asked


AnyRequest = CompletionRequest | ChatRequest


def prompt_tokens(prompt: PromptText | TokenIds) -> int:
    """How many tokens a prompt is."""
    return text_tokens(prompt) if isinstance(prompt, str) else len(prompt)


def prompt_bytes(prompt: PromptText | TokenIds) -> bytes:
    """What the answer to a prompt follows from."""
    return prompt.encode() if isinstance(prompt, str) else token_bytes(prompt)
