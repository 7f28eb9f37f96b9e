"""A fleet's decisions, explained after they were made and kept where a person can read them.

An explanation takes some fifteen plans' time. One is made of every decision that moved a target, and of the
newest every five minutes else, at a `Pace` that all fleets share: moves go first, and where a hundred fleets
move at once it takes minutes until all are told. One that can't be kept is tried again with the next; it
never fails a tick.
"""

import logging
from collections import deque
from functools import partial
from typing import Protocol

from tandem.cluster.kubernetes.api import ApiError
from tandem.controller.pace import Pace
from tandem.planner.decisions import MOST, Decisions
from tandem.planner.explain import explained
from tandem.planner.model import Memory
from tandem.planner.observation import Observation
from tandem.planner.spec import FleetSpec

_EVERY_S = 300.0
_UNMOVED = 0.5  # of the pace: what is only told anew leaves the rest to moves
_log = logging.getLogger("tandem.controller")

Made = tuple[Observation, Memory, FleetSpec]  # what a plan was made from


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

    def __init__(
        self, store: DecisionStore, every_s: float = _EVERY_S, pace: Pace | None = None
    ) -> None:
        self._store = store
        self._every_s = every_s
        self._pace = pace or Pace()
        self._decisions: Decisions | None = None  # not loaded yet
        self._owed: deque[Made] = deque(
            maxlen=MOST
        )  # moves to be told: older ones would not be kept

    async def note(
        self, seen: Observation, memory: Memory, spec: FleetSpec, *, moved: bool
    ) -> None:
        """Explain the plan that was made from these, or one before it, if the pace lets it.

        To be called at every tick: a decision that `moved` a target is told at a later one else.
        """
        if moved:
            self._owed.append((seen, memory, spec))
        try:
            if self._decisions is None:
                self._decisions = await self._store.load()
            if self._is_due(self._decisions, seen.now_s):
                made = self._owed.popleft() if self._owed else (seen, memory, spec)
                newest = await self._pace.run(partial(explained, *made))
                self._decisions = self._decisions.after(newest)
                await self._store.save(self._decisions)
        except Exception as error:  # noqa: BLE001 - what was decided is done; telling it may wait
            is_ours = not isinstance(error, ApiError | OSError)
            _log.warning("a decision is not kept for tandem explain: %s", error, exc_info=is_ours)

    def _is_due(self, decisions: Decisions, now_s: float) -> bool:
        moved = bool(self._owed)
        is_free = self._pace.is_free(1.0 if moved else _UNMOVED)
        return is_free and decisions.is_due(now_s, self._every_s, moved=moved)
