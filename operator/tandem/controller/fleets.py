"""All fleets that the operator sees: one control loop each, apart, so that none waits for another."""

import asyncio
import logging
import random
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from tandem.api.engine_profile import EngineProfile
from tandem.api.parse import parse_profile
from tandem.controller.control import FleetControl
from tandem.errors import InvalidInputError

_GONE = "DELETED"
_log = logging.getLogger("tandem.controller")

Key = tuple[str, str]  # namespace and name
Profiles = dict[str, EngineProfile]  # by name


class Fleets:
    """Starts, tells and ends the control loop of every fleet."""

    def __init__(self, control: Callable[[str, str], FleetControl]) -> None:
        self._control = control
        self._running: dict[Key, tuple[FleetControl, asyncio.Task[None]]] = {}
        self._profiles: dict[str, Profiles] = {}  # by namespace
        self._may_start = asyncio.Event()

    def start(self) -> None:
        """Let the loops begin: what runs in the cluster has been listed."""
        self._may_start.set()

    @property
    def busy_s(self) -> float:
        """Seconds that the longest turn under way has taken."""
        return max((control.busy_s for control, _ in self._running.values()), default=0.0)

    def fleet_seen(self, kind: str | None, body: Mapping[str, Any]) -> None:
        """A resource came, changed or went; our own writes of its status come by here too."""
        metadata = body["metadata"]
        key = metadata["namespace"], metadata["name"]
        if kind == _GONE or metadata.get("deletionTimestamp"):
            self._end(key)
            return
        if key in self._running and self._running[key][0].uid not in {"", metadata["uid"]}:
            self._end(key)  # another resource of the same name
        if key not in self._running:
            control = self._control(*key)
            task = asyncio.create_task(self._run(control), name="/".join(key))
            self._running[key] = control, task
        self._running[key][0].told(body, self._profiles.get(key[0], {}))

    def mark(self) -> Mapping[Key, str]:
        """Fleets that are kept now, with their uids; to be taken before a listing is asked for."""
        return {key: control.uid for key, (control, _) in self._running.items()}

    def listed(self, bodies: Iterable[Mapping[str, Any]], before: Mapping[Key, str]) -> None:
        """All resources there are: of those kept `before`, one that is not among them has gone."""
        there = {body["metadata"]["uid"] for body in bodies}
        for key, uid in before.items():
            if uid not in there and key in self._running and self._running[key][0].uid == uid:
                self._end(key)

    def profiles_listed(self, bodies: Iterable[Mapping[str, Any]]) -> None:
        """Profiles that are there, in case no watch has told them yet."""
        for body in bodies:
            metadata = body["metadata"]
            if metadata["name"] not in self._profiles.get(metadata["namespace"], {}):
                self.profile_seen(None, body)

    def profile_seen(self, kind: str | None, body: Mapping[str, Any]) -> None:
        """A profile came, changed or went: fleets of its namespace read it anew."""
        namespace, name = body["metadata"]["namespace"], body["metadata"]["name"]
        known = dict(self._profiles.get(namespace, {}))
        known.pop(name, None)
        if kind != _GONE:
            try:
                known[name] = parse_profile(body)
            except InvalidInputError as error:
                _log.warning("EngineProfile %s/%s: %s", namespace, name, error)
        self._profiles[namespace] = known
        for key, (control, _) in self._running.items():
            if key[0] == namespace:
                control.told(None, known)

    async def close(self) -> None:
        """End every loop; the cluster stays as it is."""
        tasks = [task for _, task in self._running.values()]
        for key in list(self._running):
            self._end(key)
        await asyncio.gather(*tasks, return_exceptions=True)

    def _end(self, key: Key) -> None:
        ended = self._running.pop(key, None)
        if ended is not None:
            control, task = ended
            task.cancel()
            control.forget()

    async def _run(self, control: FleetControl) -> None:
        await self._may_start.wait()
        await asyncio.sleep(random.uniform(0.0, 1.0))  # noqa: S311 - fleets shall not tick in step
        await control.run()
