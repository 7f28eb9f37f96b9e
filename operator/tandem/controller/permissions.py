"""What the operator does with the API server: the RBAC of its service account, and no more.

The chart's roles are held to this table by a test; at its start the operator asks the API server for
each, so that a missing permission is one readable line and not a storm of 403.
"""

import asyncio
from dataclasses import dataclass
from typing import Any

from tandem.api.base import GROUP
from tandem.cluster.kubernetes.api import KubernetesApi
from tandem.cluster.kubernetes.kinds import ACCESS_REVIEW
from tandem.errors import TandemError

_WATCH = ("list", "watch")
_APPLY = ("create", "patch")  # server-side apply of an object that may not be there yet


@dataclass(frozen=True, slots=True)
class Permission:
    """Verbs on one kind of resource, `name/subresource` where it has one."""

    group: str
    resource: str
    verbs: tuple[str, ...]


PERMISSIONS = (
    Permission(GROUP, "disaggregatedllms", _WATCH),
    Permission(GROUP, "disaggregatedllms/status", ("patch",)),
    Permission(GROUP, "engineprofiles", _WATCH),
    Permission(
        "apps", "deployments", ("get", *_WATCH, *_APPLY, "delete")
    ),  # get: one no watch has shown yet
    Permission("apps", "deployments/scale", ("update",)),
    Permission("", "pods", (*_WATCH, "patch")),  # patch: whom a scale-down takes first
    Permission("", "services", _APPLY),
    Permission("", "serviceaccounts", _APPLY),
    Permission("", "configmaps", ("get", *_APPLY)),  # get: the planner's memory, decisions
    Permission("", "events", ("create",)),
    Permission("policy", "poddisruptionbudgets", _APPLY),
    Permission("rbac.authorization.k8s.io", "roles", _APPLY),
    Permission("rbac.authorization.k8s.io", "rolebindings", _APPLY),
)


async def check(api: KubernetesApi, namespace: str | None) -> None:
    """Ask for every permission, cluster-wide or in one namespace.

    Raises:
        TandemError: one is missing, and which.

    """
    where = f"in namespace {namespace}" if namespace else "in every namespace"
    asked = [(permission, verb) for permission in PERMISSIONS for verb in permission.verbs]
    granted = await asyncio.gather(*(_allowed(api, *each, namespace) for each in asked))
    for (permission, verb), is_granted in zip(asked, granted, strict=True):
        if not is_granted:
            subject = f"{permission.resource}.{permission.group}".rstrip(".")
            raise TandemError(f"this service account may not {verb} {subject} {where}")


async def _allowed(
    api: KubernetesApi, permission: Permission, verb: str, namespace: str | None
) -> bool:
    resource, _, subresource = permission.resource.partition("/")
    asked = {
        "group": permission.group,
        "resource": resource,
        "subresource": subresource,
        "verb": verb,
        **({"namespace": namespace} if namespace else {}),
    }
    answer: dict[str, Any] = await api.create(
        {
            "apiVersion": ACCESS_REVIEW.api_version,
            "kind": ACCESS_REVIEW.kind,
            "metadata": {},
            "spec": {"resourceAttributes": asked},
        }
    )
    return bool(answer["status"]["allowed"])
