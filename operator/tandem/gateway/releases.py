"""KV that nobody will fetch is let go: its decode leg is sent and called off.

Until its lease ends, a prefill pod keeps the KV of a leg whose user has left. An engine that takes the
decode leg tells the prefill pod that it needs nothing more, also when the leg is called off at once.
"""

import asyncio
import logging

from tandem.gateway.dispatch import Dispatch
from tandem.gateway.failures import LegFailedError, RefusedByEngineError
from tandem.gateway.handover import Handover
from tandem.gateway.histogram import Tally
from tandem.gateway.legs import Engines
from tandem.gateway.request import ClientRequest

_CLOSE_S = 2.0  # what is not let go by then, its lease lets go
_log = logging.getLogger("tandem.gateway")


class Releases:
    """The releases under way; each ends its try in the router."""

    def __init__(self, dispatch: Dispatch, engines: Engines, tally: Tally) -> None:
        self._dispatch = dispatch
        self._engines = engines
        self._tally = tally
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, key: str, request: ClientRequest, handover: Handover) -> None:
        """Let the KV of this try go, in the background."""
        task = asyncio.create_task(self._release(key, request, handover))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Wait a moment for those under way, then leave the rest to their leases."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_CLOSE_S)
        for task in tuple(self._tasks):
            task.cancel()

    async def _release(self, key: str, request: ClientRequest, handover: Handover) -> None:
        try:
            pod = await self._dispatch.decode_pod(key, handover.usable_until_s)
            if pod is None:
                self._tally.add("failed")
                return
            await self._engines.release(pod.name, request, handover)
            self._tally.add("released")
        except (LegFailedError, RefusedByEngineError) as failure:
            self._tally.add("failed")
            _log.info("KV of %s stays until its lease ends: %s", request.request_id, failure)
        finally:
            self._dispatch.ended(key)
