"""One try at one request on one pair of pods: turn, prefill leg, hand-over, decode leg.

Whatever ends it, the router is told once. KV that was prefilled and not fetched would stay pinned
until its lease ends, so a try that leaves some behind hands it to `Releases`.
"""

import asyncio
import json
import time

import aiohttp

from tandem.api.role import Role
from tandem.gateway import sse
from tandem.gateway.account import Account
from tandem.gateway.client import Client
from tandem.gateway.desk import Desk
from tandem.gateway.failures import LegFailedError, RefusedByEngineError
from tandem.gateway.handover import Handover
from tandem.gateway.metrics import Outcome
from tandem.gateway.request import ClientRequest
from tandem.routing.model import RoutePod, RouteRequest


class Attempt:
    """One try; `run` raises `LegFailedError` when another pair should be tried."""

    def __init__(
        self,
        desk: Desk,
        request: ClientRequest,
        route: RouteRequest,
        client: Client,
        account: Account,
    ) -> None:
        self._desk = desk
        self._request = request
        self._route = route
        self._client = client
        self._account = account
        self._handover: Handover | None = None
        self._is_fetched = (
            False  # by the decode pod, or by one that lets go of it when it is closed
        )

    async def run(self) -> Outcome:
        """Answer the user, or leave nothing behind."""
        try:
            handover = self._handover = await self._prefill(await self._turn())
            return await self._decode(await self._decode_pod(handover), handover)
        except (LegFailedError, RefusedByEngineError) as failure:
            self._is_fetched = False  # an engine that failed may never have asked for the KV
            if isinstance(failure, LegFailedError):
                self._desk.pods.failed(failure.pod)
            raise
        finally:
            if self._handover is None or self._is_fetched:
                self._desk.dispatch.ended(self._route.key)
            else:
                self._desk.releases.start(self._route.key, self._request, self._handover)

    async def _turn(self) -> RoutePod:
        began_s = time.monotonic()
        pod = await self._desk.dispatch.prefill_pod(self._route, self._desk.settings.max_wait_s)
        self._desk.metrics.queue.observe(time.monotonic() - began_s)
        return pod

    async def _prefill(self, pod: RoutePod) -> Handover:
        desk, began_s = self._desk, time.monotonic()
        desk.metrics.busy.begin(pod.name, began_s)
        try:
            handover = await desk.engines.prefill(pod.name, self._request, self._route.service_s)
        finally:
            desk.metrics.busy.end(pod.name, time.monotonic())
        desk.dispatch.prefilled(self._route.key)
        desk.pods.served(pod.name)
        desk.metrics.prefill_leg.observe(time.monotonic() - began_s)
        desk.metrics.prompt(handover.prompt_tokens, handover.cached_tokens)
        desk.sizing.lengths.learn_input(self._request, handover.prompt_tokens)
        self._account.input_tokens = handover.prompt_tokens
        self._account.cached_tokens = handover.cached_tokens
        return handover

    async def _decode_pod(self, handover: Handover) -> RoutePod:
        pod = await self._desk.dispatch.decode_pod(self._route.key, handover.usable_until_s)
        if pod is None:
            raise LegFailedError(Role.DECODE, "lease")
        return pod

    async def _decode(self, pod: RoutePod, handover: Handover) -> Outcome:
        sent_s = time.monotonic()
        if not self._request.stream:
            return await self._whole(pod, handover, sent_s)
        async with self._desk.engines.decode(pod.name, self._request, handover) as answer:
            self._is_fetched = True  # it will be: the engine has the leg
            begun, opening = await _opened(answer, pod.name)
            self._fetched()
            self._desk.pods.served(pod.name)
            self._desk.metrics.handover.observe(time.monotonic() - sent_s)
            return await self._forward(pod, answer, begun, opening)

    def _fetched(self) -> None:
        self._is_fetched = True
        self._desk.dispatch.pulled(self._route.key)

    async def _forward(
        self, pod: RoutePod, answer: aiohttp.ClientResponse, begun: bytes, opening: sse.Opening
    ) -> Outcome:
        """The stream's bytes as they come; only counted, not parsed."""
        events, seen, now_s = sse.EventCounter(), self._account.seen, time.monotonic
        read_any, feed = answer.content.readany, events.feed
        seen(now_s(), feed(begun) - opening.silent)
        send = await self._client.start_stream(answer.headers.get("Content-Type", sse.CONTENT_TYPE))
        chunk, broken = begun, b""
        try:
            while chunk:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
                chunk = await read_any()
                seen(now_s(), feed(chunk))
        except (aiohttp.ClientError, OSError) as error:
            broken = sse.error_event(f"the answer broke off: {type(error).__name__}", 502)
        finally:
            ending = events.ending()
            self._account.close(ending.silent, ending.completion_tokens)
        await self._client.end_stream(broken)
        if broken or ending.cut:
            self._desk.pods.failed(pod.name)
            return Outcome.CUT
        self._desk.sizing.lengths.learn_output(self._request, self._account.output_tokens)
        return Outcome.OK

    async def _whole(self, pod: RoutePod, handover: Handover, sent_s: float) -> Outcome:
        """An answer in one piece. Nothing tells when its KV was fetched: the profile's time is taken."""
        loop = asyncio.get_running_loop()
        fetched = loop.call_later(self._route.after_prefill_s, self._fetched)
        try:
            async with self._desk.engines.decode(pod.name, self._request, handover) as answer:
                content = await answer.read()
        finally:
            fetched.cancel()
        tokens = _completion_tokens(content, pod.name)
        self._fetched()
        self._desk.pods.served(pod.name)
        self._desk.sizing.lengths.learn_output(self._request, tokens)
        self._account.whole_answer(sent_s, time.monotonic(), tokens)
        await self._client.answer(answer.status, content, {"content-type": answer.content_type})
        return Outcome.OK


async def _opened(answer: aiohttp.ClientResponse, pod: str) -> tuple[bytes, sse.Opening]:
    """The bytes up to the first token; raises where none comes."""
    begun = b""
    while chunk := await answer.content.readany():
        begun += chunk
        if (opening := sse.opening(begun)) is not None:
            if opening.failure:
                raise LegFailedError(Role.DECODE, opening.failure, pod)
            return begun, opening
    raise LegFailedError(Role.DECODE, "abort", pod)


def _completion_tokens(content: bytes, pod: str) -> int:
    """Tokens of a whole answer; an abort, even after some tokens, is another pair's to answer."""
    try:
        body = json.loads(content)
        if any(choice["finish_reason"] == "abort" for choice in body["choices"]):
            raise LegFailedError(Role.DECODE, "abort", pod)
        return int(body["usage"]["completion_tokens"])
    except (ValueError, KeyError, TypeError):
        raise LegFailedError(Role.DECODE, "error", pod) from None
