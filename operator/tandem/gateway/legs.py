"""Legs over HTTP: one client session for all engines, and what their failures mean."""

import io
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from http import HTTPStatus

import aiohttp

from tandem.api.role import Role
from tandem.gateway import handover as bodies
from tandem.gateway.failures import LegFailedError, RefusedByEngineError
from tandem.gateway.handover import Handover
from tandem.gateway.request import ClientRequest
from tandem.gateway.settings import Settings

_CONNECT_S = 2.0  # a pod of the list that does not accept within this is gone
_KEEP_ALIVE_S = 3.0  # vLLM's server closes after 5 s: a leg sent at that moment would be lost
_HICCUP_S = 20.0  # a prefill leg may take this and _SLOWER times what its profile says
_SLOWER = 5.0
_LONGEST_S = 600.0  # an answer in one piece that names no `max_tokens`
_LARGE_BODY = 2**20  # bytes; from there aiohttp wants a file, which it sends piece by piece
_BUSY = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS})


class Engines:
    """Sends legs to engine pods; `url_of` tells where a pod listens."""

    def __init__(self, settings: Settings, url_of: Callable[[str], str]) -> None:
        self._settings = settings
        self._url_of = url_of
        self._patience = _patience(settings.silence_s)
        self._http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEEP_ALIVE_S),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            skip_auto_headers=("Accept-Encoding", "User-Agent"),
            timeout=self._patience,
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()

    async def prefill(self, pod: str, request: ClientRequest, expected_s: float) -> Handover:
        """Compute a prompt; the hand-over says until when its KV may be asked for.

        The engine's lease began a little before its answer arrived: that is what the margin is for.
        A vLLM whose drain is over may keep a leg for ever, so patience goes by the profile's time.
        """
        body = bodies.prefill_body(request)
        patience_s = min(self._settings.silence_s, _HICCUP_S + _SLOWER * expected_s)
        with _failures(Role.PREFILL, pod):
            async with self._leg(Role.PREFILL, pod, request, body, _patience(patience_s)) as answer:
                content = await answer.read()
        usable_until_s = time.monotonic() + self._settings.usable_lease_s
        return bodies.parse_prefill(content, pod, usable_until_s)

    @asynccontextmanager
    async def decode(
        self, pod: str, request: ClientRequest, handover: Handover
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """The decode leg's answer, once its head is there; leaving it early closes the connection."""
        patience = self._patience if request.stream else _patience(self._whole_s(request))
        body = bodies.decode_body(request, handover)
        with _failures(Role.DECODE, pod):
            async with self._leg(Role.DECODE, pod, request, body, patience) as answer:
                yield answer

    def _whole_s(self, request: ClientRequest) -> float:
        """How long an answer in one piece may take: a hung engine must not keep its user for ever."""
        if request.max_tokens is None:
            return _LONGEST_S
        tokens_s = _SLOWER * self._settings.tpot_s * request.max_tokens
        return min(_LONGEST_S, self._settings.silence_s + tokens_s)

    async def release(self, pod: str, request: ClientRequest, handover: Handover) -> None:
        """Let KV go that nobody wants: a decode leg, called off as soon as the engine has it."""
        body = bodies.release_body(request, handover)
        with _failures(Role.DECODE, pod):
            async with self._leg(Role.DECODE, pod, request, body, self._patience):
                pass

    @asynccontextmanager
    async def _leg(
        self,
        leg: Role,
        pod: str,
        request: ClientRequest,
        body: bytes,
        patience: aiohttp.ClientTimeout,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        url = self._url_of(pod)
        if not url:
            raise LegFailedError(leg, "refused", pod)
        headers = {
            **request.headers,
            "Content-Type": "application/json",
            "X-Request-Id": request.request_id,
        }
        data = io.BytesIO(body) if len(body) > _LARGE_BODY else body
        answer = await self._http.post(
            url + request.endpoint, data=data, headers=headers, timeout=patience
        )
        try:
            await _check(leg, pod, answer)
            yield answer
        finally:
            answer.release()  # keeps the connection if all was read, closes it if not


def _patience(silence_s: float) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_S, sock_read=silence_s)


async def _check(leg: Role, pod: str, answer: aiohttp.ClientResponse) -> None:
    if answer.status in _BUSY:
        raise LegFailedError(leg, "busy", pod)
    if HTTPStatus.BAD_REQUEST <= answer.status < HTTPStatus.INTERNAL_SERVER_ERROR:
        raise RefusedByEngineError(answer.status, await answer.read())
    if answer.status != HTTPStatus.OK:
        raise LegFailedError(leg, "5xx", pod)


@contextmanager
def _failures(leg: Role, pod: str) -> Iterator[None]:
    """Name a broken connection in the words of the retry counter."""
    try:
        yield
    except TimeoutError:  # before its base OSError
        raise LegFailedError(leg, "timeout", pod) from None
    except aiohttp.ClientConnectorError:
        raise LegFailedError(leg, "refused", pod) from None
    except (aiohttp.ClientError, OSError):
        raise LegFailedError(leg, "reset", pod) from None
