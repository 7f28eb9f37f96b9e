"""A fleet's children, kept as they shall be with as few writes as that takes.

Deployments are watched, so one that was deleted or edited is made right at the next turn. The others
are written when what they shall be has changed, and all of them once in a while.
"""

import hashlib
import json
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tandem.api.role import Role
from tandem.cluster.kubernetes.api import KubernetesApi
from tandem.cluster.kubernetes.apply import apply_child, apply_deployment
from tandem.cluster.kubernetes.kinds import DEPLOYMENT
from tandem.cluster.kubernetes.labels import FLEET, ROLE
from tandem.cluster.kubernetes.seen import Seen

_AGAIN_S = 600.0  # a child that nobody watches is written again after it
_PATIENCE_S = 5.0  # between two writes of the same

Body = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Written:
    digest: str
    again_s: float  # when it may be written again


class Children:
    """The children of one fleet."""

    def __init__(self, api: KubernetesApi, seen: Seen) -> None:
        self._api = api
        self._seen = seen
        self._written: dict[tuple[str, str], _Written] = {}

    async def keep(self, bodies: Sequence[Body], replicas: Mapping[Role, int]) -> None:
        """Make every child as `bodies` says, in their order; `replicas` are those of a new role.

        Raises:
            ApiError: a child was refused; those before it are written.

        """
        for body in bodies:
            if body["kind"] == DEPLOYMENT.kind:
                await self._deployment(body, replicas)
            elif self._is_due(body):
                await self._api.apply(body)
                self._note(body)

    async def _deployment(self, body: Body, replicas: Mapping[Role, int]) -> None:
        metadata = body["metadata"]
        known = self._seen.deployments(metadata["namespace"], metadata["labels"][FLEET])
        found = next((one for one in known if one["metadata"]["name"] == metadata["name"]), None)
        if found is not None and not self._is_due(body):
            return
        role = metadata["labels"].get(ROLE)
        if role is None:
            made = await apply_child(self._api, body, found)
        else:
            made = await apply_deployment(self._api, body, replicas[Role(role)], found)
        if made is not found:
            self._seen.wrote(DEPLOYMENT, made)
        # A write that changed nothing: the server has its own way to say the same. Else it was edited.
        self._note(body, _AGAIN_S if found and made is not found and _same(made, found) else 0.0)

    def _is_due(self, body: Body) -> bool:
        written = self._written.get(_place(body))
        if written is None or written.digest != _digest(body):
            return True
        return time.monotonic() >= written.again_s

    def _note(self, body: Body, after_s: float = _AGAIN_S) -> None:
        wait_s = max(_PATIENCE_S, after_s * random.uniform(0.8, 1.2))  # noqa: S311 - not all at once
        self._written[_place(body)] = _Written(_digest(body), time.monotonic() + wait_s)


def _same(made: Body, found: Body) -> bool:
    """Whether a write left the object as it was."""
    version = made["metadata"].get("resourceVersion")
    return bool(version == found["metadata"].get("resourceVersion"))


def _place(body: Body) -> tuple[str, str]:
    return body["kind"], body["metadata"]["name"]


def _digest(body: Body) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
