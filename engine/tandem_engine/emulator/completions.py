"""A completion, whole or streamed: checked, given to the engine, answered."""

from collections.abc import Callable
from secrets import token_hex
from time import time

from tandem_engine.emulator import refusal
from tandem_engine.emulator.answers import ABORT, StreamedAnswer, WholeAnswer
from tandem_engine.emulator.bodies import Body, Chat, Completion, Usage
from tandem_engine.emulator.emulator import Emulator, unique
from tandem_engine.emulator.schema import (
    AnyRequest,
    ChatRequest,
    prompt_bytes,
    prompt_tokens,
)
from tandem_engine.emulator.tokens import voice

Answer = WholeAnswer | StreamedAnswer


def answer(emulator: Emulator, asked: AnyRequest, request_id: str | None) -> Answer:
    """The answer to a request, its tokens on their way; refused when it cannot be served."""
    _check(emulator, asked)
    prompt, *_ = asked.prompts()
    if emulator.is_draining and isinstance(prompt, str):
        raise refusal.ended()
    input_tokens = prompt_tokens(prompt)
    output_tokens = emulator.output_tokens(input_tokens, asked)
    bodies, key = _named(emulator, asked, request_id)
    said = voice(prompt_bytes(prompt), emulator.settings.seed)
    usage = Usage(prompt_tokens=input_tokens, completion_tokens=output_tokens)
    reply: Answer
    if asked.stream:
        reply = StreamedAnswer(bodies, said, usage, asked.usage_told)
    else:
        kv_tokens = input_tokens + output_tokens - 1
        kv = _handover(emulator, key, kv_tokens) if asked.leaves_kv else _no_handover
        reply = WholeAnswer(bodies, said, input_tokens, kv)
    if emulator.is_draining:
        reply.end(ABORT)
    else:
        emulator.start(key, asked, (input_tokens, output_tokens), reply)
    return reply


def _check(emulator: Emulator, asked: AnyRequest) -> None:
    served = emulator.settings.model
    if asked.model and asked.model != served:
        raise refusal.unknown_model(asked.model, served)
    if asked.n != 1:
        raise refusal.invalid(f"n must be 1 in an emulator, got {asked.n}.", "n", asked.n)
    prompts = asked.prompts()
    if len(prompts) != 1:
        raise refusal.RefusedError("an emulator takes one prompt a request", param="prompt")
    if not prompts[0]:
        raise refusal.RefusedError("The decoder prompt cannot be empty", param="prompt")


def _named(emulator: Emulator, asked: AnyRequest, request_id: str | None) -> tuple[Completion, str]:
    """The bodies of an answer, and the engine's own name of the request."""
    given = request_id or token_hex(16)
    created, model = int(time()), emulator.settings.model
    if isinstance(asked, ChatRequest):
        chat = Chat(id=f"chatcmpl-{given}", created=created, model=model)
        return chat, unique(chat.id)
    completion = Completion(id=f"cmpl-{given}", created=created, model=model)
    return completion, unique(f"{completion.id}-0")


def _handover(emulator: Emulator, key: str, tokens: int) -> Callable[[], Body]:
    return lambda: emulator.handover(key, tokens)


def _no_handover() -> None:
    return None
