"""What a turn gives to tell: status, Events and metrics of one fleet.

A status or an Event that can't be written is tried again with the next turn; it never fails a turn.
"""

import datetime as dt
import json
import logging
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from pydantic import ValidationError

from tandem.api.fleet_status import FleetStatus
from tandem.cluster.kubernetes.api import ApiError, Conflict, Forbidden, KubernetesApi
from tandem.controller import events
from tandem.controller.fleet_turn import Turn
from tandem.controller.loop import Tick
from tandem.controller.metrics import OperatorMetrics
from tandem.controller.reasons import Trouble, of_error
from tandem.controller.recent import Recent
from tandem.controller.status import fleet_status, should_write, written
from tandem.controller.wanted import Wanted

_MOST_OWED = 20  # Events
_log = logging.getLogger("tandem.controller")

Body = Mapping[str, Any]


class Reporter:
    """Tells of the fleet `name` in `namespace`."""

    def __init__(
        self, api: KubernetesApi, metrics: OperatorMetrics, namespace: str, name: str
    ) -> None:
        self._api = api
        self._metrics = metrics
        self._place = namespace, name
        self._status: FleetStatus | None = None
        self._written: FleetStatus | None = None
        self._written_at: dt.datetime | None = None
        self._recent = Recent()
        self._sent = events.Sent()
        self._owed: tuple[tuple[events.Event, dt.datetime], ...] = ()  # and when they became due
        self._wanted: Wanted | None = None

    async def ticked(self, wanted: Wanted, turn: Turn, took_s: float) -> None:
        """A whole turn."""
        self._wanted = wanted
        self._recent = self._recent.after(turn.tick)
        for change in turn.tick.changes:
            text = f"{change.role} {change.before} -> {change.after}: {change.reason}"
            _log.info("%s/%s: %s", *self._place, text)
        before, after, is_due = self._next(wanted.body, wanted, turn.tick, turn.troubles)
        self._metrics.told(*self._place, wanted.spec, turn.tick, after, took_s=took_s)
        told = events.events(turn.tick, before, after, turn.drifts)
        await self._tell(wanted.body, after, told, is_due=is_due)

    async def refused(self, body: Body, error: Exception) -> None:
        """The resource can't be carried out."""
        self._wanted = None
        await self._without_tick(body, error)

    async def failed(self, body: Body, error: Exception) -> None:
        """A turn failed; it is tried again."""
        is_ours = not isinstance(error, ApiError | OSError)
        text = f"{type(error).__name__}: {error}"
        _log.warning("%s/%s: %s", *self._place, text, exc_info=is_ours)
        await self._without_tick(body, error)

    def forget(self) -> None:
        """The resource is gone."""
        self._metrics.forgotten(*self._place)

    async def _without_tick(self, body: Body, error: Exception) -> None:
        before, after, is_due = self._next(body, self._wanted, None, (of_error(error),))
        spec = self._wanted.spec if self._wanted else None
        self._metrics.told(*self._place, spec, None, after)
        await self._tell(body, after, events.events(None, before, after), is_due=is_due)

    def _next(
        self, body: Body, wanted: Wanted | None, tick: Tick | None, troubles: Sequence[Trouble]
    ) -> tuple[FleetStatus | None, FleetStatus, bool]:
        """The status before a turn and after it, and whether that is to be written: it is whole then."""
        before, now = self._status or _shown(body), dt.datetime.now(dt.UTC)
        tell = partial(
            fleet_status,
            wanted.fleet if wanted else None,
            tick,
            before,
            body["metadata"]["generation"],
            now,
            spec=wanted.spec if wanted else None,
            recent=self._recent,
            troubles=troubles,
        )
        after = tell(whole=False)
        is_due = should_write(self._written, after, self._written_at, now)
        self._status = tell() if is_due else after
        return before, self._status, is_due

    async def _tell(
        self, body: Body, status: FleetStatus, told: Sequence[events.Event], *, is_due: bool
    ) -> None:
        now = dt.datetime.now(dt.UTC)
        refused = await self._write(status, now) if is_due else ()
        due, self._sent = events.due(self._sent, (*told, *refused), now)
        self._owed = (*self._owed, *((event, now) for event in due))[-_MOST_OWED:]
        try:
            while self._owed:
                await self._send(*self._owed[0], body["metadata"]["uid"])
                self._owed = self._owed[1:]
        except (ApiError, OSError) as error:
            _log.warning("%s/%s: Event not written: %s", *self._place, error)

    async def _write(self, status: FleetStatus, now: dt.datetime) -> tuple[events.Event, ...]:
        """Write the status; the Event that says that it is refused."""
        try:
            await self._api.apply_status(written(status, *self._place))
        except (ApiError, OSError) as error:
            _log.warning("%s/%s: status not written: %s", *self._place, error)
            is_answer = isinstance(error, ApiError) and error.status
            return (events.status_refused(str(error)),) if is_answer else ()
        self._written, self._written_at = status, now
        return ()

    async def _send(self, event: events.Event, at: dt.datetime, uid: str) -> None:
        """Post an Event, unless a try whose answer got lost did, or its namespace is going."""
        try:
            await self._api.create(events.body(event, *self._place, uid, at))
        except (Conflict, Forbidden) as error:
            if error.reason != "AlreadyExists" and "being terminated" not in error.message:
                raise


def _shown(body: Body) -> FleetStatus | None:
    """What the operator before this one told, for times and history alone; None where unreadable."""
    if not body.get("status"):
        return None
    try:
        text = json.dumps(body["status"], default=dict)
        return FleetStatus.model_validate_json(text, by_alias=True, by_name=False)
    except ValidationError:
        return None
