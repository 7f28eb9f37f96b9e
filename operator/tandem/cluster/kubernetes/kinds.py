"""The kinds of objects that Tandem reads and writes, and their paths on the API server."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tandem.cluster.kubernetes.labels import GROUP
from tandem.errors import InvalidInputError


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind; `api_version` as in manifests, `plural` as in paths."""

    api_version: str
    kind: str
    plural: str
    namespaced: bool = True

    def path(self, namespace: str | None = None, name: str = "", subresource: str = "") -> str:
        """Path of an object, of a namespace's objects, or (no namespace) of all of them."""
        parts = ["api" if "/" not in self.api_version else "apis", self.api_version]
        if namespace and self.namespaced:
            parts += ["namespaces", namespace]
        parts += [self.plural, name, subresource]
        return "/" + "/".join(part for part in parts if part)


CONFIG_MAP = Kind("v1", "ConfigMap", "configmaps")
EVENT = Kind("v1", "Event", "events")
NAMESPACE = Kind("v1", "Namespace", "namespaces", namespaced=False)
NODE = Kind("v1", "Node", "nodes", namespaced=False)
POD = Kind("v1", "Pod", "pods")
SERVICE = Kind("v1", "Service", "services")
SERVICE_ACCOUNT = Kind("v1", "ServiceAccount", "serviceaccounts")
DEPLOYMENT = Kind("apps/v1", "Deployment", "deployments")
AUTOSCALER = Kind("autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers")
POD_DISRUPTION_BUDGET = Kind("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets")
ROLE = Kind("rbac.authorization.k8s.io/v1", "Role", "roles")
ROLE_BINDING = Kind("rbac.authorization.k8s.io/v1", "RoleBinding", "rolebindings")
FLEET = Kind(f"{GROUP}/v1alpha1", "DisaggregatedLLM", "disaggregatedllms")
ENGINE_PROFILE = Kind(f"{GROUP}/v1alpha1", "EngineProfile", "engineprofiles")
ACCESS_REVIEW = Kind(
    "authorization.k8s.io/v1",
    "SelfSubjectAccessReview",
    "selfsubjectaccessreviews",
    namespaced=False,
)

KINDS = (
    ACCESS_REVIEW,
    CONFIG_MAP,
    EVENT,
    NAMESPACE,
    NODE,
    POD,
    SERVICE,
    SERVICE_ACCOUNT,
    DEPLOYMENT,
    AUTOSCALER,
    POD_DISRUPTION_BUDGET,
    ROLE,
    ROLE_BINDING,
    FLEET,
    ENGINE_PROFILE,
)
_BY_NAME = {(kind.api_version, kind.kind): kind for kind in KINDS}


def kind_of(body: Mapping[str, Any]) -> Kind:
    """The kind that a manifest is of.

    Raises:
        InvalidInputError: it is none that Tandem writes.

    """
    named = body.get("apiVersion", ""), body.get("kind", "")
    if named not in _BY_NAME:
        allowed = ", ".join(sorted(kind.kind for kind in KINDS))
        raise InvalidInputError("kind", f"{named[0]} {named[1]}", f"one of {allowed}")
    return _BY_NAME[named]
