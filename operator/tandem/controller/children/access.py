"""What a gateway may ask the API server: which pods there are."""

from typing import Any

from tandem.cluster.kubernetes import labels
from tandem.controller.children import names
from tandem.controller.children.parent import Parent

_GROUP = "rbac.authorization.k8s.io"


def gateway(parent: Parent) -> list[dict[str, Any]]:
    """Service account, role and binding of the fleet's gateway."""
    name = names.gateway(parent.fleet)
    account = {"kind": "ServiceAccount", "name": name, "namespace": parent.namespace}
    rule = {"apiGroups": [""], "resources": ["pods"], "verbs": ["list", "watch"]}
    return [
        _child(parent, "v1", "ServiceAccount") | {"automountServiceAccountToken": False},
        _child(parent, f"{_GROUP}/v1", "Role") | {"rules": [rule]},
        _child(parent, f"{_GROUP}/v1", "RoleBinding")
        | {"roleRef": {"apiGroup": _GROUP, "kind": "Role", "name": name}, "subjects": [account]},
    ]


def _child(parent: Parent, version: str, kind: str) -> dict[str, Any]:
    own = {labels.COMPONENT: labels.GATEWAY}
    metadata = parent.metadata(names.gateway(parent.fleet), own)
    return {"apiVersion": version, "kind": kind, "metadata": metadata}
