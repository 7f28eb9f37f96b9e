"""A fleet's children, kept as they shall be with as few writes as that takes.

Deployments are watched, so one that was deleted or edited is made right at the next turn. The others
are written when what they shall be has changed, and all of them once in a while.
"""

import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tandem.api.role import Role
from tandem.cluster.kubernetes.api import KubernetesApi
from tandem.cluster.kubernetes.apply import apply_child, apply_deployment
from tandem.cluster.kubernetes.kinds import DEPLOYMENT
from tandem.cluster.kubernetes.kinds import FLEET as FLEET_KIND
from tandem.cluster.kubernetes.labels import FLEET, ROLE
from tandem.cluster.kubernetes.seen import Seen
from tandem.errors import TandemError

_AGAIN_S = 600.0  # a child that nobody watches is written again after it
_PATIENCE_S = 5.0  # between two writes of the same

Body = Mapping[str, Any]


class OwnerGone(TandemError):  # noqa: N818 - read as words: `except OwnerGone`
    """The fleet's resource is no more, so nothing may be made for it."""


@dataclass(slots=True)
class _Child:
    """One child as it shall be, and when it may be written again."""

    body: Body
    again_s: float = 0.0

    @property
    def is_due(self) -> bool:
        return time.monotonic() >= self.again_s

    def written(self, after_s: float = _AGAIN_S) -> None:
        wait_s = max(_PATIENCE_S, after_s * random.uniform(0.8, 1.2))  # noqa: S311 - not all at once
        self.again_s = time.monotonic() + wait_s


class Children:
    """The children of one fleet: `want` says how they shall be, `keep` makes them so."""

    def __init__(self, api: KubernetesApi, seen: Seen) -> None:
        self._api = api
        self._seen = seen
        self._children: dict[tuple[str, str], _Child] = {}
        self._untried = False  # whether the API server was not asked yet if it would take them

    def want(self, bodies: Sequence[Body]) -> None:
        """Every child, in the order in which they are to be made; those that changed are due."""
        fresh = {(body["kind"], body["metadata"]["name"]): body for body in bodies}
        known = self._children
        self._children = {
            place: known[place] if place in known and known[place].body == body else _Child(body)
            for place, body in fresh.items()
        }
        self._untried = True

    async def keep(self, replicas: Mapping[Role, int]) -> None:
        """Make every child as it shall be; `replicas` are those of a role that has none yet.

        Raises:
            ApiError: a Deployment would be refused, and nothing is written; or the API server fails.
            OwnerGone: the Deployments went because the fleet did.

        """
        await self._try()
        for child in self._children.values():
            if child.body["kind"] == DEPLOYMENT.kind:
                await self._deployment(child, replicas)
            elif child.is_due:
                await self._api.apply(child.body)
                child.written()

    async def _try(self) -> None:
        """Templates are a user's own words: one that is wrong must not be found half-way through."""
        if self._untried:
            for child in self._children.values():
                if child.body["kind"] == DEPLOYMENT.kind and not child.again_s:
                    await self._api.try_apply(child.body)
        self._untried = False

    async def _deployment(self, child: _Child, replicas: Mapping[Role, int]) -> None:
        found = self._found(child.body["metadata"])
        if found is not None and not child.is_due:
            return
        if found is None and child.again_s:
            await self._check_owner(child.body["metadata"])
        role = child.body["metadata"]["labels"].get(ROLE)
        if role is None:
            made = await apply_child(self._api, child.body, found)
        else:
            made = await apply_deployment(self._api, child.body, replicas[Role(role)], found)
        if made is not found:
            self._seen.wrote(DEPLOYMENT, made)
        # A write that changed nothing: the server has its own way to say the same. Else it was edited.
        idle = found is not None and made is not found and _version(made) == _version(found)
        child.written(_AGAIN_S if idle else _PATIENCE_S)

    async def _check_owner(self, metadata: Body) -> None:
        """A Deployment that was there is not: no watch is sure to have told that the fleet went."""
        owner = metadata["ownerReferences"][0]
        listed = await self._api.list(FLEET_KIND, metadata["namespace"])
        if owner["uid"] not in {each["metadata"]["uid"] for each in listed}:
            raise OwnerGone(f"{metadata['namespace']}/{owner['name']} is no more")

    def _found(self, metadata: Mapping[str, Any]) -> Body | None:
        """The Deployment as it was seen last."""
        known = self._seen.deployments(metadata["namespace"], metadata["labels"][FLEET])
        return next((one for one in known if one["metadata"]["name"] == metadata["name"]), None)


def _version(body: Body) -> object:
    return body["metadata"].get("resourceVersion")
