"""What the watches have seen of pods and Deployments, per fleet.

The newest version of each object wins, whichever way it came: by a watch, by a relist, or as the
answer to a write of ours. So a write is seen at once, and an older event does not undo it.
"""

import asyncio
import contextlib
import itertools
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tandem.cluster.kubernetes.kinds import DEPLOYMENT, POD, Kind
from tandem.cluster.kubernetes.labels import FLEET

DELETED = "DELETED"
_MOST_GRAVES = 4096  # objects that went since the last relists

Body = Mapping[str, Any]


@dataclass(slots=True)
class _Fleet:
    """Objects of one fleet by kind and name, each with the count at which it was last told."""

    objects: dict[tuple[Kind, str], tuple[Body, int]] = field(default_factory=dict)
    changed: asyncio.Event = field(default_factory=asyncio.Event)


class Seen:
    """Objects that carry the label of a fleet, by namespace and fleet."""

    def __init__(self) -> None:
        self._fleets: dict[tuple[str, str], _Fleet] = {}
        self._count = itertools.count(1)
        self._last = 0
        self._graves: deque[tuple[str, int]] = deque(maxlen=_MOST_GRAVES)  # uid, count

    def pods(self, namespace: str, fleet: str) -> Sequence[Body]:
        """Pods of a fleet, gateways too."""
        return self._of(POD, namespace, fleet)

    def deployments(self, namespace: str, fleet: str) -> Sequence[Body]:
        """Deployments of a fleet, the gateway's too."""
        return self._of(DEPLOYMENT, namespace, fleet)

    def event(self, kind: Kind, type_: str | None, body: Body) -> None:
        """Take in one event of a watch; None is one of the first listing."""
        if type_ == DELETED:
            self._forget(kind, body)
        else:
            self._keep(kind, body)

    def wrote(self, kind: Kind, body: Body) -> None:
        """Take in the answer to a write of ours, unless its object has gone meanwhile."""
        if body["metadata"].get("uid") not in {uid for uid, _ in self._graves}:
            self._keep(kind, body)

    def mark(self) -> int:
        """A point in what was told, to be taken before a listing is asked for."""
        return self._last

    def replace(self, kind: Kind, bodies: Iterable[Body], since: int | None = None) -> None:
        """Take in a whole listing: what is not in it has gone.

        Args:
            kind: of all the objects.
            bodies: all there are, of every fleet.
            since: `mark()` before the listing was asked for; what was told after it is left alone.

        """
        since = self._last if since is None else since
        buried = {uid for uid, count in self._graves if count > since}
        listed = [body for body in bodies if body["metadata"].get("uid") not in buried]
        names = {(_key(body), body["metadata"]["name"]) for body in listed}
        for key, fleet in list(self._fleets.items()):
            for (of, name), (body, told) in list(fleet.objects.items()):
                if of == kind and told <= since and (key, name) not in names:
                    self._forget(kind, body)
        for body in listed:
            self._keep(kind, body)

    async def wait_changed(self, namespace: str, fleet: str, timeout_s: float) -> None:
        """Return when something of the fleet changed since the last return, or after `timeout_s`."""
        changed = self._fleet((namespace, fleet)).changed
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(changed.wait(), timeout_s)
        changed.clear()

    def forget_fleet(self, namespace: str, fleet: str) -> None:
        """The fleet is no more."""
        self._fleets.pop((namespace, fleet), None)

    # -- one object -------------------------------------------------------------------------------

    def _of(self, kind: Kind, namespace: str, fleet: str) -> Sequence[Body]:
        known = self._fleets.get((namespace, fleet))
        objects = known.objects if known else {}
        return tuple(body for (of, _), (body, _) in objects.items() if of == kind)

    def _keep(self, kind: Kind, body: Body) -> None:
        key = _key(body)
        if not key[1]:
            return
        fleet = self._fleet(key)
        place = kind, body["metadata"]["name"]
        self._last = next(self._count)
        known = fleet.objects.get(place)
        if known is not None and _not_newer(body, known[0]):
            fleet.objects[place] = known[0], self._last
            return
        fleet.objects[place] = body, self._last
        fleet.changed.set()

    def _forget(self, kind: Kind, body: Body) -> None:
        self._last = next(self._count)
        self._graves.append((body["metadata"].get("uid", ""), self._last))
        fleet = self._fleets.get(_key(body))
        place = kind, body["metadata"]["name"]
        if fleet is None or place not in fleet.objects:
            return
        known, _ = fleet.objects[place]
        if known["metadata"].get("uid") == body["metadata"].get("uid"):
            del fleet.objects[place]
            fleet.changed.set()

    def _fleet(self, key: tuple[str, str]) -> _Fleet:
        return self._fleets.setdefault(key, _Fleet())


def version(body: Body) -> int:
    """The resourceVersion as a number; versions of one kind grow."""
    text = body["metadata"].get("resourceVersion", "")
    return int(text) if text.isdecimal() else 0


def _not_newer(body: Body, known: Body) -> bool:
    """Whether `body` is what is known or older; another uid under the name is another object."""
    same = body["metadata"].get("uid") == known["metadata"].get("uid")
    return same and version(body) <= version(known)


def _key(body: Body) -> tuple[str, str]:
    metadata = body["metadata"]
    return metadata.get("namespace", ""), (metadata.get("labels") or {}).get(FLEET, "")
