"""A completion, whole or streamed: checked, given to the engine, answered."""

from collections.abc import Callable
from secrets import token_hex
from time import time

from tandem_engine.emulator import refusal
from tandem_engine.emulator.answers import ABORT, Reply, StreamedAnswer, WholeAnswer
from tandem_engine.emulator.bodies import Body, Chat, Completion, Usage
from tandem_engine.emulator.emulator import Emulator, unique
from tandem_engine.emulator.schema import (
    AnyRequest,
    ChatRequest,
    PromptText,
    TokenIds,
    prompt_bytes,
    prompt_tokens,
)
from tandem_engine.emulator.tokens import Voice, voice


def answer(emulator: Emulator, asked: AnyRequest, request_id: str | None) -> Reply:
    """The answer to a request, its tokens on their way; refused when it cannot be served."""
    prompt = _prompt(emulator, asked)
    input_tokens = prompt_tokens(prompt)
    output_tokens = emulator.output_tokens(input_tokens, asked)
    usage = Usage(prompt_tokens=input_tokens, completion_tokens=output_tokens)
    bodies, key = _named(emulator, asked, request_id)
    said = _voice(prompt, emulator.settings.seed)
    reply: Reply
    if asked.stream:
        reply = StreamedAnswer(bodies, said, usage, asked.usage_told)
    else:
        reply = WholeAnswer(bodies, said, input_tokens, _handover(emulator, asked, key, usage))
    if emulator.is_draining:
        reply.end(ABORT)
    else:
        emulator.start(key, asked, usage, reply)
    return reply


def _prompt(emulator: Emulator, asked: AnyRequest) -> PromptText | TokenIds:
    """The one prompt of a request that can be served."""
    served = emulator.settings.model
    if asked.model and asked.model != served:
        raise refusal.unknown_model(asked.model, served)
    if asked.n != 1:
        raise refusal.invalid(f"n must be 1 in an emulator, got {asked.n}.", "n", asked.n)
    prompt, *others = asked.prompts()
    if others:
        raise refusal.RefusedError("an emulator takes one prompt a request", param="prompt")
    if not prompt:
        raise refusal.RefusedError("The decoder prompt cannot be empty", param="prompt")
    if emulator.is_draining and isinstance(prompt, str):
        raise refusal.ended()
    return prompt


def _voice(prompt: PromptText | TokenIds, seed: int) -> Voice:
    try:
        return voice(prompt_bytes(prompt), seed)
    except OverflowError:  # cheaper than a bound on each of thousands of ids
        raise refusal.RefusedError("a token id is out of vocabulary", param="prompt") from None


def _named(emulator: Emulator, asked: AnyRequest, request_id: str | None) -> tuple[Completion, str]:
    """The bodies of an answer, and the engine's own name of the request."""
    given = request_id or token_hex(16)
    created, model = int(time()), emulator.settings.model
    if isinstance(asked, ChatRequest):
        chat = Chat(id=f"chatcmpl-{given}", created=created, model=model)
        return chat, unique(chat.id)
    completion = Completion(id=f"cmpl-{given}", created=created, model=model)
    return completion, unique(f"{completion.id}-0")


def _handover(
    emulator: Emulator, asked: AnyRequest, key: str, usage: Usage
) -> Callable[[], Body | None]:
    """What a finished request hands over: of all its tokens but the last the KV stands."""
    if not asked.leaves_kv:
        return lambda: None
    tokens = usage.prompt_tokens + usage.completion_tokens - 1
    return lambda: emulator.handover(key, tokens)
