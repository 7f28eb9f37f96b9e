"""A fleet's decisions, explained after they were made and kept where a person can read them.

An explanation takes some fifteen plans' time, so one is made when a target moved and every five minutes else,
beside the event loop. One that can't be kept is tried again with the next; it never fails a tick.
"""

import asyncio
import logging
from typing import Protocol

from tandem.cluster.kubernetes.api import ApiError
from tandem.planner.decisions import Decisions
from tandem.planner.explain import explained
from tandem.planner.model import Memory
from tandem.planner.observation import Observation
from tandem.planner.spec import FleetSpec

_EVERY_S = 300.0
_log = logging.getLogger("tandem.controller")


class DecisionStore(Protocol):
    """Keeps the last decisions over a restart."""

    async def load(self) -> Decisions:
        """What was last saved; none where nothing was or it is damaged."""
        ...

    async def save(self, decisions: Decisions) -> None:
        """Replace what is kept."""
        ...


class Chronicle:
    """The last decisions of one fleet; where nothing moves the newest is told anew every `every_s`."""

    def __init__(self, store: DecisionStore, every_s: float = _EVERY_S) -> None:
        self._store = store
        self._every_s = every_s
        self._decisions: Decisions | None = None  # not loaded yet

    async def note(
        self, seen: Observation, memory: Memory, spec: FleetSpec, *, moved: bool
    ) -> None:
        """Explain the plan that was made from these, if it is time to; `moved` says that a target did."""
        try:
            if self._decisions is None:
                self._decisions = await self._store.load()
            if self._decisions.is_due(seen.now_s, self._every_s, moved=moved):
                newest = await asyncio.to_thread(explained, seen, memory, spec)
                self._decisions = self._decisions.after(newest)
                await self._store.save(self._decisions)
        except Exception as error:  # noqa: BLE001 - what was decided is done; telling it may wait
            is_ours = not isinstance(error, ApiError | OSError)
            _log.warning("a decision is not kept for tandem explain: %s", error, exc_info=is_ours)
