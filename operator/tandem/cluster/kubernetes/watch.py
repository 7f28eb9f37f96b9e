"""The pods of one fleet as the API server tells them: a list, then what changes.

Level-based: each list is the truth, whatever was missed before it. While the server is away, the
pods known before are kept; it is asked again after pauses that grow and differ from gateway to gateway.
"""

import asyncio
import logging
import random
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Protocol

from tandem.api.role import Role
from tandem.cluster.kubernetes import kinds, labels, pods
from tandem.cluster.kubernetes.api_error import ApiError, api_error
from tandem.cluster.kubernetes.request import Answer, Request
from tandem.cluster.kubernetes.watch_connection import WatchConnection
from tandem.cluster.pod import Pod

_LIST_S = 10.0  # for one list
_log = logging.getLogger("tandem.cluster")

Told = Callable[[Sequence[Pod]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a watch lives and how long a failure is slept on; seconds."""

    watch_s: float = 60.0  # the server ends a watch after it, and it goes on from where it was
    silence_s: float = 75.0  # above watch_s: only a dead stream is silent for so long
    pause_s: float = 0.2  # after a first failure; twice as long after each further one
    longest_pause_s: float = 15.0
    calm_s: float = 10.0  # a watch that lived for so long has forgiven the failures before it


class Server(Protocol):
    """An API server that lists and streams."""

    async def send(self, request: Request, timeout_s: float) -> Answer:
        """The answer, whatever its status; OSError where none came."""
        ...

    def events(self, request: Request, silence_s: float) -> AsyncGenerator[dict[str, Any], None]:
        """The events of a watch; ApiError, OSError or ValueError where it fails."""
        ...


def selector(fleet: str) -> str:
    """Engine pods of a fleet, whichever role they have now."""
    return f"{labels.FLEET}={fleet},{labels.ROLE} in ({','.join(Role)})"


async def follow(namespace: str, fleet: str, told: Told) -> None:
    """Tell the pods of a fleet, first after the first list and then whenever they change, for ever."""
    server: WatchConnection | None = None
    pauses = _Pauses(Patience())
    try:
        while server is None:
            try:
                server = await WatchConnection.open()
            except Exception as error:  # noqa: BLE001 - the client's errors have no common class
                await pauses.after(f"no way to the API server: {error}", 0.0)
        await PodWatch(server, namespace, fleet, told).run()
    finally:
        if server is not None:
            await server.close()


class PodWatch:
    """Follows the pods of one fleet on one API server."""

    def __init__(
        self,
        server: Server,
        namespace: str,
        fleet: str,
        told: Told,
        patience: Patience | None = None,
    ) -> None:
        self._server = server
        self._path = kinds.POD.path(namespace)
        self._select = {"labelSelector": selector(fleet)}
        self._told = told
        self._patience = patience or Patience()
        self._pods: dict[str, Pod] = {}
        self._version = ""

    async def run(self) -> None:
        """List and watch for ever; a failure is logged, slept on, and answered by another list."""
        pauses = _Pauses(self._patience)
        while True:
            began_s = time.monotonic()
            try:
                if not self._version:
                    await self._list()
                await self._watch()
                why = ""
            except (ApiError, OSError, ValueError, KeyError, TypeError) as error:
                why = str(error) or type(error).__name__
                self._version = ""
            await pauses.after(why, time.monotonic() - began_s)

    async def _list(self) -> None:
        answer = await self._server.send(Request("GET", self._path, self._select), _LIST_S)
        if answer.status != HTTPStatus.OK:
            raise api_error("LIST pods", answer.status, answer.body)
        version = str(answer.body["metadata"]["resourceVersion"])
        listed = [pods.pod(body) for body in answer.body["items"] if not pods.is_gone(body)]
        self._pods, self._version = {pod.name: pod for pod in listed}, version
        self._told(listed)

    async def _watch(self) -> None:
        """Take events until the server ends the stream; the next one begins after the last of them."""
        query = {
            **self._select,
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": self._version,
            "timeoutSeconds": str(max(1, round(self._patience.watch_s))),
        }
        events = self._server.events(Request("GET", self._path, query), self._patience.silence_s)
        async with aclosing(events) as opened:
            async for event in opened:
                self._take(event["type"], event["object"])

    def _take(self, type_: str, body: Mapping[str, Any]) -> None:
        if type_ == "ERROR":
            raise api_error("WATCH pods", int(body.get("code", 0)), body)
        version = str(body["metadata"]["resourceVersion"])
        if type_ != "BOOKMARK":
            self._change(body, is_there=type_ != "DELETED" and not pods.is_gone(body))
        self._version = version

    def _change(self, body: Mapping[str, Any], *, is_there: bool) -> None:
        name, before = body["metadata"]["name"], dict(self._pods)
        if is_there:
            self._pods[name] = pods.pod(body)
        else:
            self._pods.pop(name, None)
        if self._pods != before:
            self._told(list(self._pods.values()))


class _Pauses:
    """Sleeps between two looks at the server: none after a long life, longer after each short one."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._in_a_row = 0

    async def after(self, why: str, lived_s: float) -> None:
        """A watch ended after so long, by itself or for a reason."""
        if lived_s >= self._patience.calm_s:
            self._in_a_row = 0
            if not why:
                return
        most_s = self._patience.longest_pause_s
        pause_s = min(most_s, self._patience.pause_s * 2 ** min(self._in_a_row, 16))
        pause_s *= random.uniform(0.5, 1.0)  # noqa: S311 - gateways that all lost one server
        self._in_a_row += 1
        if why:
            _log.warning("%s; the pods known before are kept, next try in %.1f s", why, pause_s)
        await asyncio.sleep(pause_s)
