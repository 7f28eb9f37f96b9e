"""Which Deployments a fleet has, and when those of older revisions may go. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tandem.api.role import Role
from tandem.cluster.kubernetes import managed
from tandem.cluster.kubernetes.labels import REVISION, ROLE
from tandem.cluster.pod import Pod, PodPhase

Body = Mapping[str, Any]


def of_engines(deployments: Iterable[Body]) -> list[Body]:
    """Deployments of engine pods that are not being deleted, by name."""
    engines = (
        body
        for body in deployments
        if _label(body, ROLE) in set(Role) and "deletionTimestamp" not in body["metadata"]
    )
    return sorted(engines, key=lambda body: str(body["metadata"]["name"]))


def current(deployments: Iterable[Body], role: Role, revision: str) -> Body | None:
    """The Deployment of a role at a revision."""
    wanted = (role.value, revision)
    return next(
        (d for d in of_engines(deployments) if (_label(d, ROLE), _label(d, REVISION)) == wanted),
        None,
    )


def older(deployments: Iterable[Body], revision: str) -> list[Body]:
    """Deployments of engines of every other revision."""
    return [body for body in of_engines(deployments) if _label(body, REVISION) != revision]


def sizes(deployments: Iterable[Body]) -> dict[Role, int]:
    """Replicas of each role's largest Deployment: what a new revision has to stand in for."""
    found: dict[Role, int] = {}
    for body in of_engines(deployments):
        role = Role(_label(body, ROLE))
        found[role] = max(found.get(role, 0), managed.replicas(body))
    return found


def may_retire(asked: Mapping[Role, int], pods: Sequence[Pod], revision: str) -> bool:
    """Whether older revisions may go: the new one serves as many as they do, in both roles.

    A role needs as many Ready pods of the new revision as were asked for, or as the older
    revisions have Ready, whichever is less. Both roles at once, because pods of different
    revisions never exchange KV.
    """
    if any(role not in asked for role in Role):
        return False
    ready = [pod for pod in pods if pod.phase is PodPhase.READY]

    def enough(role: Role) -> bool:
        new = sum(pod.role is role and pod.revision == revision for pod in ready)
        old = sum(pod.role is role and pod.revision != revision for pod in ready)
        return new >= min(asked[role], old)

    return all(enough(role) for role in Role)


def _label(body: Body, name: str) -> str:
    return str((body["metadata"].get("labels") or {}).get(name, ""))
