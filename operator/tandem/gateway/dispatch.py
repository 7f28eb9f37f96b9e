"""The router with someone waiting: requests await their turn, events give it.

Every event (arrival, leg's end, pods changed) costs one look at the head of the queue; nothing polls.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence

from tandem.api.role import Role
from tandem.gateway.failures import WaitedTooLongError
from tandem.gateway.pairing import paired
from tandem.routing.load import PodLoad
from tandem.routing.model import RoutePod, RouteRequest
from tandem.routing.router import Router


class Dispatch:
    """Tells the router what happened, and whoever waits what it decided."""

    def __init__(self, router: Router, now_s: Callable[[], float] = time.monotonic) -> None:
        self._router = router
        self._now_s = now_s
        self._turns: dict[str, asyncio.Future[RoutePod]] = {}
        self._decodes: dict[str, asyncio.Future[RoutePod]] = {}

    @property
    def queued_requests(self) -> int:
        """Requests that wait for a prefill pod."""
        return self._router.queued_requests

    @property
    def queued_tokens(self) -> int:
        """Their input tokens."""
        return self._router.queued_tokens

    def loads(self, role: Role) -> Sequence[PodLoad]:
        """The pods of a role with what was sent to them."""
        return self._router.loads(role)

    def decode_step_s(self, tokens: int) -> float:
        """Seconds of an iteration at an average decode pod, a request of so many tokens among its own."""
        return self._router.decode_step_s(tokens)

    async def prefill_pod(self, request: RouteRequest, wait_s: float) -> RoutePod:
        """The pod that takes the prefill leg, once it is the request's turn."""
        turn: asyncio.Future[RoutePod] = asyncio.get_running_loop().create_future()
        self._turns[request.key] = turn
        self._router.enqueue(request)
        self._give_turns()
        try:
            async with asyncio.timeout(wait_s):
                return await turn
        except TimeoutError:
            raise WaitedTooLongError from None
        finally:
            del self._turns[request.key]

    async def decode_pod(self, key: str, until_s: float) -> RoutePod | None:
        """The pod that takes the decode leg; None where none came before `until_s`."""
        if self._now_s() >= until_s:
            return None
        pod = self._router.start_decode(key)
        if pod is not None:
            return pod
        found: asyncio.Future[RoutePod] = asyncio.get_running_loop().create_future()
        self._decodes[key] = found
        try:
            async with asyncio.timeout(until_s - self._now_s()):
                return await found
        except TimeoutError:
            return None
        finally:
            del self._decodes[key]

    def set_pods(self, pods: Iterable[RoutePod]) -> None:
        """Other pods, or other states of theirs."""
        self._router.set_pods(paired(pods))
        for key, found in self._decodes.items():
            if not found.done() and (pod := self._router.start_decode(key)) is not None:
                found.set_result(pod)
        self._give_turns()

    def prefilled(self, key: str) -> None:
        """The prefill leg brought its hand-over."""
        self._router.prefilled(key)
        self._give_turns()

    def pulled(self, key: str) -> None:
        """The decode pod has the KV."""
        self._router.pulled(key)
        self._give_turns()

    def ended(self, key: str) -> None:
        """The try is over, whatever became of it."""
        self._router.ended(key)
        self._give_turns()

    def _give_turns(self) -> None:
        """Start prefills while a pod is free that has a partner to decode."""
        if not self._router.queued_requests:
            return
        now_s = self._now_s()
        while (started := self._router.start_prefill(now_s)) is not None:
            request, pod = started
            turn = self._turns[request.key]
            if not turn.done():  # else its user has just left, and `ended` follows
                turn.set_result(pod)
