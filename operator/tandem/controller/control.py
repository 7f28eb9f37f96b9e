"""One fleet's control: its children, one turn of its loop, its status and its Events.

Level-based: each turn looks at what is wanted and at what is there, and may be cut between any two
lines; the next turn, of this operator or of the one after it, does the rest.
"""

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Mapping
from typing import Any

from tandem.api.engine_profile import EngineProfile
from tandem.controller.fleet_turn import FleetTurn
from tandem.controller.keep import OwnerGone
from tandem.controller.reporter import Reporter
from tandem.controller.wanted import Wanted, read
from tandem.errors import InvalidInputError

_LONGEST_PAUSE_S = 60.0  # between two tries while everything fails
_FIRST_PAUSE_S = 1.0
_JITTER = 0.1  # of a wait, so that fleets which began together drift apart
_INVALID_AGAIN_S = 300.0  # a refused resource is looked at when it is edited, or after this

_log = logging.getLogger("tandem.controller")


class FleetControl:
    """Keeps one resource true; `told` what a person wants, `run` until that is cancelled or gone."""

    def __init__(self, turn: FleetTurn, reporter: Reporter) -> None:
        self._turn = turn
        self._reporter = reporter
        self._body: Mapping[str, Any] | None = None
        self._profiles: Mapping[str, EngineProfile] = {}
        self._wanted: Wanted | None = None
        self._poke = asyncio.Event()
        self._failures = 0
        self._began_s: float | None = None  # of the turn that is under way

    @property
    def uid(self) -> str:
        """Of the resource that is kept; empty before the first word."""
        return "" if self._body is None else str(self._body["metadata"]["uid"])

    @property
    def busy_s(self) -> float:
        """Seconds that the turn under way has taken; 0 between two turns."""
        return 0.0 if self._began_s is None else time.monotonic() - self._began_s

    def told(self, body: Mapping[str, Any] | None, profiles: Mapping[str, EngineProfile]) -> None:
        """The resource or its profiles may have changed; a write of the status alone is no change."""
        same_body = body is None or (
            self._body is not None
            and body["metadata"]["generation"] == self._body["metadata"]["generation"]
        )
        if same_body and profiles == self._profiles:
            return
        self._body = self._body if body is None else body
        self._profiles = profiles
        self._wanted = None
        self._poke.set()

    def forget(self) -> None:
        """The resource is gone: no figure of it stays."""
        self._reporter.forget()

    async def run(self) -> None:
        """Turn after turn, each a while after the one before, or at once when something was told."""
        try:
            while True:
                self._poke.clear()
                self._began_s = time.monotonic()
                wait_s = await self._guarded()
                self._began_s = None
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._poke.wait(), _jittered(wait_s))
        except OwnerGone as gone:
            _log.info("%s", gone)
            self.forget()
        finally:
            self._began_s = None
            await self._turn.close()

    async def _guarded(self) -> float:
        """One turn; whatever goes wrong is reported, and tried again after a growing pause."""
        if self._body is None:
            return _LONGEST_PAUSE_S
        try:
            self._wanted = self._wanted or read(self._body, self._profiles)
            turn = await self._turn.once(self._wanted)
            took_s = time.monotonic() - (self._began_s or 0.0)
            await self._reporter.ticked(self._wanted, turn, took_s)
        except InvalidInputError as error:
            await self._reporter.refused(self._body, error)
            return _INVALID_AGAIN_S
        except OwnerGone:
            raise
        except Exception as error:  # noqa: BLE001 - the loop's top: other fleets must go on
            return await self._failed(error)
        self._failures = 0
        plan = turn.tick.plan
        return _LONGEST_PAUSE_S if plan is None else plan.look_again_s

    async def _failed(self, error: Exception) -> float:
        pause_s = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2.0**self._failures)
        self._failures += 1
        assert self._body is not None
        await self._reporter.failed(self._body, error)
        return pause_s


def _jittered(wait_s: float) -> float:
    return wait_s * random.uniform(1.0 - _JITTER, 1.0 + _JITTER)  # noqa: S311 - no secret
