"""What every pod of ours starts from: no root, nothing to write on but its own volumes."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tandem.cluster.kubernetes import labels
from tandem.controller.children import names, timing
from tandem.controller.options import Images

_NOBODY = 65532  # a user that owns nothing; images are readable for all
_PROBE_S = 1  # between two looks: a pod is routed to as soon as it can serve
_PROBE_TIMEOUT_S = 5  # a busy engine answers late
_UNREADY_AFTER = 6
_LONGEST_START_S = 3600  # weights come from far away, and kernels are compiled


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """A volume and the one place where it is mounted."""

    name: str
    path: str
    source: Mapping[str, Any]
    read_only: bool = False

    def volume(self) -> dict[str, Any]:
        """The entry of a pod's volumes."""
        return {"name": self.name, **self.source}

    def mount(self) -> dict[str, Any]:
        """The entry of a container's mounts."""
        read_only = {"readOnly": True} if self.read_only else {}
        return {"name": self.name, "mountPath": self.path, **read_only}


SCRATCH = Volume(name="tandem-tmp", path="/tmp", source={"emptyDir": {}})  # noqa: S108 - the pod's own


def profiles(fleet: str) -> Volume:
    """The engine profiles of a fleet."""
    source = {"configMap": {"name": names.profiles(fleet)}}
    path = labels.PROFILES_DIR
    return Volume(name="tandem-profiles", path=path, source=source, read_only=True)


def pull_secrets(images: Images) -> dict[str, Any]:
    """The part of a pod that names the Secrets with which its images are pulled."""
    named = [{"name": name} for name in images.pull_secrets]
    return {"imagePullSecrets": named} if named else {}


def pod_security() -> dict[str, Any]:
    """Security context of a pod."""
    return {
        "runAsNonRoot": True,
        "runAsUser": _NOBODY,
        "runAsGroup": _NOBODY,
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def container_security() -> dict[str, Any]:
    """Security context of a container."""
    return {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }


def volumes(mounted: Iterable[Volume]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Volumes of a pod and mounts of its container."""
    every = list(mounted)
    return [each.volume() for each in every], [each.mount() for each in every]


def serving(port: int) -> dict[str, Any]:
    """Port, probes and the pause before SIGTERM of a container that serves HTTP."""
    return {
        "ports": [{"name": labels.HTTP, "containerPort": port, "protocol": "TCP"}],
        "startupProbe": _probe(_LONGEST_START_S // _PROBE_S),
        "readinessProbe": _probe(_UNREADY_AFTER),
        "lifecycle": {"preStop": {"sleep": {"seconds": timing.PRE_STOP_S}}},
    }


def _probe(failures: int) -> dict[str, Any]:
    return {
        "httpGet": {"path": "/health", "port": labels.HTTP},
        "periodSeconds": _PROBE_S,
        "timeoutSeconds": _PROBE_TIMEOUT_S,
        "failureThreshold": failures,
    }
