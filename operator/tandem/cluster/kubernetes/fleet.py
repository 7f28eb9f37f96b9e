"""One fleet on Kubernetes behind the `Cluster` port: a Deployment for each role and revision.

What is there is read from the watches; what is asked for is written to /scale with the version that
was read, so that nobody's write is lost unseen. Level-based: any write may be the last one made.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from tandem.api.role import Role
from tandem.cluster.kubernetes import managed, rollout
from tandem.cluster.kubernetes.api import DEPLOYMENT, POD, ApiError, Conflict, KubernetesApi
from tandem.cluster.kubernetes.labels import (
    DELETION_COST,
    FLEET,
    POOL,
    REVISION,
    ROLE,
    SCALE_MANAGER,
    selector,
)
from tandem.cluster.kubernetes.pods import is_engine, is_gone, pod
from tandem.cluster.kubernetes.seen import Seen
from tandem.cluster.kubernetes.victims import costs
from tandem.cluster.pod import Pod
from tandem.errors import TandemError

_MOST_LOOKS = 4  # at a Deployment that others write to as well

Body = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Drift:
    """Replicas that somebody else changed."""

    role: Role
    deployment: str
    wanted: int
    found: int


class KubernetesFleet:
    """The pods of one fleet; `revision` is the one that is scaled."""

    def __init__(
        self, api: KubernetesApi, seen: Seen, namespace: str, fleet: str, revision: str = ""
    ) -> None:
        self._api = api
        self._seen = seen
        self._namespace = namespace
        self._fleet = fleet
        self._asked: dict[str, int] = {}  # by Deployment: replicas that we know to be ours
        self.revision = revision

    # -- the port ---------------------------------------------------------------------------------

    async def pods(self) -> Sequence[Pod]:
        """Every engine pod that is not yet gone, of all revisions."""
        return tuple(pod(body) for body in self._bodies())

    async def desired(self) -> Mapping[Role, int]:
        """Replicas that we asked for last at the current revision; no entry without a Deployment.

        Of a Deployment whose replicas somebody changed while no operator looked, it is what they
        made of it: nobody knows any more what it was.
        """
        found = {role: self._current(role) for role in Role}
        return {role: self._wanted(body) for role, body in found.items() if body is not None}

    async def scale(self, role: Role, replicas: int, drain_first: Sequence[str] = ()) -> None:
        """Ask for a number of replicas of the current revision.

        Raises:
            TandemError: there is no such Deployment yet.
            ApiError: the API server did not grant it, or others kept writing to the Deployment.

        """
        body = self._current(role) or await self._look(role)
        for look in range(_MOST_LOOKS):
            if managed.replicas(body) == replicas:
                break
            try:
                await self._resize(body, replicas, drain_first)
                break
            except Conflict:
                if look == _MOST_LOOKS - 1:
                    raise
                body = await self._look(role)
        self._asked[body["metadata"]["name"]] = replicas

    async def wait_changed(self, timeout_s: float) -> None:
        """Return when a pod or a Deployment of the fleet changed, or after `timeout_s`."""
        await self._seen.wait_changed(self._namespace, self._fleet, timeout_s)

    # -- beyond the port --------------------------------------------------------------------------

    def sizes(self) -> Mapping[Role, int]:
        """Replicas that each role has, at whichever revision; no entry without a Deployment."""
        return rollout.sizes(self._deployments())

    def drifted(self) -> tuple[Drift, ...]:
        """Replicas that somebody else changed; `scale(role, wanted)` puts them back."""
        found = {role: self._current(role) for role in Role}
        drifts = (
            Drift(role, body["metadata"]["name"], self._wanted(body), managed.replicas(body))
            for role, body in found.items()
            if body is not None
        )
        return tuple(drift for drift in drifts if drift.wanted != drift.found)

    def adopt(self) -> None:
        """Take the replicas that are there for what we asked: a paused fleet is others' to scale."""
        self._asked.clear()

    async def retire_old(self) -> tuple[str, ...]:
        """Delete the Deployments of older revisions once the current one can stand in for them.

        Their pods drain by themselves. Gives the names of what was deleted.
        """
        old = rollout.older(self._deployments(), self.revision)
        if not old or not rollout.may_retire(
            await self.desired(), await self.pods(), self.revision
        ):
            return ()
        names = [str(body["metadata"]["name"]) for body in old]
        for body, name in zip(old, names, strict=True):
            uid = body["metadata"].get("uid", "")
            await self._api.delete(DEPLOYMENT, self._namespace, name, uid)
            self._asked.pop(name, None)
        return tuple(names)

    # -- what is there ----------------------------------------------------------------------------

    def _bodies(self) -> list[Body]:
        bodies = self._seen.pods(self._namespace, self._fleet)
        return [body for body in bodies if is_engine(body) and not is_gone(body)]

    def _deployments(self) -> Sequence[Body]:
        return self._seen.deployments(self._namespace, self._fleet)

    def _current(self, role: Role) -> Body | None:
        return rollout.current(self._deployments(), role, self.revision)

    def _wanted(self, body: Body) -> int:
        """What we asked of a Deployment: what it says while that is ours, else what we remember."""
        name = body["metadata"]["name"]
        if managed.is_ours(body) or name not in self._asked:
            self._asked[name] = managed.replicas(body)
        return self._asked[name]

    async def _look(self, role: Role) -> Body:
        """The Deployment of a role as the API server has it now."""
        labels = selector({FLEET: self._fleet, ROLE: role.value, REVISION: self.revision})
        for body in await self._api.list(DEPLOYMENT, self._namespace, labels):
            self._seen.wrote(DEPLOYMENT, body)
            return body
        raise TandemError(f"fleet {self._fleet} has no Deployment for {role} {self.revision} yet")

    # -- one change -------------------------------------------------------------------------------

    async def _resize(self, body: Body, replicas: int, drain_first: Sequence[str]) -> None:
        metadata = body["metadata"]
        if replicas < managed.replicas(body):
            await self._name_victims(body, replicas, drain_first)
        answer = await self._api.put_scale(
            self._namespace, metadata["name"], replicas, metadata["resourceVersion"]
        )
        self._seen.wrote(DEPLOYMENT, _scaled(body, replicas, answer))

    async def _name_victims(self, body: Body, replicas: int, drain_first: Sequence[str]) -> None:
        pool = body["metadata"]["labels"].get(POOL)
        staying = [
            each
            for each in self._bodies()
            if "deletionTimestamp" not in each["metadata"]
            and each["metadata"]["labels"].get(POOL) == pool
            and each["metadata"]["labels"].get(REVISION) == self.revision
        ]
        changes = costs(staying, drain_first, len(staying) - replicas)
        await asyncio.gather(*(self._price(name, cost) for name, cost in changes.items()))

    async def _price(self, name: str, cost: str | None) -> None:
        """Set or remove a pod's deletion cost; a pod that is gone needs none."""
        patch = {"metadata": {"annotations": {DELETION_COST: cost}}}
        try:
            self._seen.wrote(POD, await self._api.merge(POD, self._namespace, name, patch))
        except ApiError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise


def _scaled(body: Body, replicas: int, answer: Body) -> Body:
    """The Deployment after our PUT on /scale, before a watch tells it."""
    metadata = body["metadata"]
    version = answer.get("metadata", {}).get("resourceVersion", metadata["resourceVersion"])
    owner = {
        "manager": SCALE_MANAGER,
        "operation": "Update",
        "fieldsV1": {"f:spec": {"f:replicas": {}}},
    }
    fields = [*(metadata.get("managedFields") or ()), owner]
    metadata = {**metadata, "resourceVersion": version, "managedFields": fields}
    return {**body, "metadata": metadata, "spec": {**body.get("spec", {}), "replicas": replicas}}
