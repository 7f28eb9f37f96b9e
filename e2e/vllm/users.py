"""What users ask of the tiny model, and what they get."""

import asyncio
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp

MODEL = "tiny"
LENGTHS = (5, 16, 40, 127, 128, 129, 400, 900)  # words or ids: around and across blocks of 128
PATIENCE_S = 300.0  # engines that meet on a busy machine have stood still for a minute
SPEECH = "the fleet scales prefill and decode apart each by work that waits for it"


@dataclass(frozen=True, slots=True)
class Ask:
    """One request and the path it goes to."""

    path: str
    body: dict[str, Any]


def ask(number: int, length: int, *, tokens: int = 24, **more: Any) -> Ask:
    """A completion of random words, or of random token ids; no two begin alike."""
    drawn = random.Random(number)  # noqa: S311 - prompts, no secrets
    prompt: str | list[int] = " ".join(drawn.choices(SPEECH.split(), k=length))
    if number % 2:
        prompt = [drawn.randrange(2, 320) for _ in range(length)]
    body = {"model": MODEL, "prompt": prompt, "max_tokens": tokens, "temperature": 0, **more}
    return Ask("/v1/completions", body)


def chat() -> Ask:
    """A question in a conversation."""
    messages = [{"role": "user", "content": "which part of the fleet waits for the other?"}]
    body = {"model": MODEL, "messages": messages, "max_tokens": 24, "temperature": 0}
    return Ask("/v1/chat/completions", body)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a user got."""

    status: int
    text: str
    finish_reason: str | None
    prompt_tokens: int


def answer(status: int, content: bytes) -> Answer:
    """The answer of a whole body or of a stream."""
    events = [content]
    if content.startswith(b"data:"):
        lines = (line.removeprefix(b"data: ") for line in content.split(b"\n\n"))
        events = [line for line in lines if line.startswith(b"{")]
    bodies = [json.loads(event) for event in events]
    choices = [choice for body in bodies for choice in body.get("choices", ())]
    return Answer(
        status=status,
        text="".join(map(_spoken, choices)),
        finish_reason=choices[-1]["finish_reason"] if choices else None,
        prompt_tokens=next((x["usage"]["prompt_tokens"] for x in bodies if x.get("usage")), 0),
    )


def _spoken(choice: dict[str, Any]) -> str:
    said = choice.get("delta") or choice.get("message") or {"content": choice.get("text")}
    return str(said.get("content") or "")


def session() -> aiohttp.ClientSession:
    """Connections of users who wait long."""
    return aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=PATIENCE_S))


async def send(user: aiohttp.ClientSession, url: str, asked: Ask) -> Answer:
    """Ask once."""
    async with user.post(url + asked.path, json=asked.body) as got:
        return answer(got.status, await got.read())


async def send_all(url: str, asks: Sequence[Ask], at_once: int = 4) -> list[Answer]:
    """All answers, in order, so many requests at a time."""
    places = asyncio.Semaphore(at_once)
    async with session() as user:

        async def one(asked: Ask) -> Answer:
            async with places:
                return await send(user, url, asked)

        return list(await asyncio.gather(*map(one, asks)))
