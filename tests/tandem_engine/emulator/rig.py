"""Emulators in the test's own loop, and a client that speaks to them."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from time import monotonic
from typing import Any

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from tandem.perf.engine_profile import (
    DecodeCost,
    EngineProfile,
    KvCache,
    PrefillCost,
    TransferCost,
)
from tandem_engine.emulator.emulator import Emulator
from tandem_engine.emulator.server import serving
from tandem_engine.emulator.settings import Settings

PREFILL_S = 0.04
STEP_S = 0.01
PROMPT = [7, 8, 9] * 20  # 60 tokens
Body = dict[str, Any]

PROFILE = EngineProfile(  # the KV of the engine that the golden samples were recorded on
    name="slow",
    model="slow-model",
    accelerator="none",
    accelerators=1,
    prefill=PrefillCost(a_s=PREFILL_S, b_s_per_token=0.0, c_s_per_token2=0.0),
    decode=DecodeCost(alpha_s=STEP_S, beta_s_per_sequence=0.0, gamma_s_per_token=0.0),
    kv=KvCache(bytes_per_token=2048.0, capacity_tokens=16_384, block_tokens=128),
    transfer=TransferCost(latency_s=0.01, bandwidth_bytes_per_s=1e9),
)


def profile(**changes: Any) -> EngineProfile:
    """A calm profile: 40 ms a prefill, 10 ms a decode step, 10 ms a transfer."""
    return replace(PROFILE, **changes)


def slow_link(latency_s: float) -> EngineProfile:
    """A profile whose transfers take this long."""
    return profile(transfer=TransferCost(latency_s=latency_s, bandwidth_bytes_per_s=1e12))


def settings(**changes: Any) -> Settings:
    """Settings of an emulator on ports of its own."""
    calm = Settings(profile=PROFILE, model="tiny", port=0, max_model_len=2048)
    return replace(calm, **changes)


@dataclass(frozen=True)
class Rig:
    """One emulator and a client session."""

    emulator: Emulator
    session: aiohttp.ClientSession

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.emulator.settings.port}"

    @property
    def pinned(self) -> int:
        return self.emulator.core.engine.pinned

    async def get(self, path: str) -> tuple[int, str]:
        async with self.session.get(self.url + path) as response:
            return response.status, await response.text()

    async def post(self, path: str, body: Body, headers: Body | None = None) -> tuple[int, Body]:
        async with self.session.post(self.url + path, json=body, headers=headers) as response:
            return response.status, json.loads(await response.text())

    async def complete(self, prompt: Any = PROMPT, max_tokens: int = 4, **more: Any) -> Body:
        status, body = await self.post(
            "/v1/completions", {"prompt": prompt, "max_tokens": max_tokens, **more}
        )
        assert status == 200, body
        return body

    async def text(self, prompt: Any = PROMPT, max_tokens: int = 4, **more: Any) -> str:
        body = await self.complete(prompt, max_tokens, **more)
        text: str = body["choices"][0]["text"]
        return text

    async def prefill(self, prompt: Any = PROMPT) -> Body:
        """The hand-over of a prefill leg."""
        body = await self.complete(prompt, 1, kv_transfer_params={"do_remote_decode": True})
        handover: Body = body["kv_transfer_params"]
        return handover

    async def stream(
        self, max_tokens: int = 4, path: str = "/v1/completions", **more: Any
    ) -> "Stream":
        """All events of a stream, and when each came."""
        asked: Body = {"max_tokens": max_tokens, "stream": True, **more}
        if "messages" not in asked:
            asked.setdefault("prompt", PROMPT)
        begun_s = monotonic()
        events, came_s = [], []
        async with self.session.post(self.url + path, json=asked) as response:
            assert response.status == 200
            async for line in response.content:
                if line.startswith(b"data: "):
                    events.append(line.removeprefix(b"data: ").strip().decode())
                    came_s.append(monotonic() - begun_s)
        return Stream(events, came_s)

    async def value(self, sample: str, **labels: str) -> float:
        """One sample of /metrics."""
        _, text = await self.get("/metrics")
        for family in text_string_to_metric_families(text):
            for each in family.samples:
                if each.name == sample and labels.items() <= each.labels.items():
                    return float(each.value)
        raise KeyError(sample)


@dataclass(frozen=True)
class Stream:
    """Server-sent events, the last of them `[DONE]`."""

    events: list[str]
    came_s: list[float]

    @property
    def bodies(self) -> list[Body]:
        return [json.loads(event) for event in self.events if event != "[DONE]"]

    @property
    def text(self) -> str:
        choices = [choice for body in self.bodies for choice in body["choices"]]
        return "".join(choice["text"] for choice in choices)

    @property
    def reason(self) -> str | None:
        reasons = [choice["finish_reason"] for body in self.bodies for choice in body["choices"]]
        reason: str | None = reasons[-1]
        return reason


@asynccontextmanager
async def rig(**changes: Any) -> AsyncIterator[Rig]:
    """An emulator that serves, and a client of it."""
    async with serving(settings(**changes)) as emulator, aiohttp.ClientSession() as session:
        await until(lambda: emulator.startup.is_ready)
        yield Rig(emulator, session)


async def until(claim: Callable[[], bool], within_s: float = 2.0) -> None:
    """Return once a claim holds; fail when it does not in time."""
    end_s = monotonic() + within_s
    while not claim():
        assert monotonic() < end_s, "it did not come to hold"
        await asyncio.sleep(0.005)
