"""What every child of a fleet has from it: namespace, owner, labels."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tandem.cluster.kubernetes import labels


@dataclass(frozen=True, slots=True, kw_only=True)
class Parent:
    """The resource that children belong to; `owner` is its owner reference."""

    fleet: str
    namespace: str
    owner: Mapping[str, Any]

    def metadata(self, name: str, own_labels: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Metadata of the child `name`; `own_labels` come on top of the fleet's."""
        return {
            "name": name,
            "namespace": self.namespace,
            "labels": labels.of_fleet(self.fleet) | dict(own_labels or {}),
            "ownerReferences": [self._reference()],
        }

    def _reference(self) -> dict[str, Any]:
        """The owner reference; deleting the resource never waits for a child."""
        return dict(self.owner) | {"controller": True, "blockOwnerDeletion": False}
