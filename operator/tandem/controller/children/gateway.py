"""The gateway of a fleet: one process, because it holds the one queue."""

from collections.abc import Mapping
from typing import Any

from tandem.api.fleet import DisaggregatedLLM
from tandem.api.role import Role
from tandem.cluster.kubernetes import labels
from tandem.controller.children import names, pod, profiles, timing
from tandem.controller.children.digest import digest
from tandem.controller.children.parent import Parent
from tandem.controller.options import Images
from tandem.perf.engine_profile import EngineProfile

_REQUESTS = {"cpu": "100m", "memory": "128Mi"}


def deployment(
    parent: Parent,
    fleet: DisaggregatedLLM,
    given: Mapping[Role, EngineProfile],
    images: Images,
) -> dict[str, Any]:
    """The Deployment; a new gateway is Ready before the old one goes and finishes its streams."""
    own = {labels.COMPONENT: labels.GATEWAY}
    selected = {labels.FLEET: parent.fleet} | own
    read = {labels.CONFIG: digest(profiles.files(given))}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": parent.metadata(names.gateway(parent.fleet), own),
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": selected},
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0},
            },
            "template": {
                "metadata": {
                    "labels": labels.of_fleet(parent.fleet) | own,
                    "annotations": read,
                },
                "spec": _pod(parent, fleet, images),
            },
        },
    }


def _pod(parent: Parent, fleet: DisaggregatedLLM, images: Images) -> dict[str, Any]:
    volumes, mounts = pod.volumes((pod.SCRATCH, pod.profiles(parent.fleet)))
    container = {
        "name": labels.GATEWAY,
        "image": images.gateway,
        "imagePullPolicy": images.pull_policy,
        "command": ["python", "-m", "tandem.gateway"],
        "args": _args(parent, fleet),
        "resources": {"requests": dict(_REQUESTS)},
        "securityContext": pod.container_security(),
        "volumeMounts": mounts,
        **pod.serving(labels.GATEWAY_PORT),
    }
    return {
        **pod.pull_secrets(images),
        "serviceAccountName": names.gateway(parent.fleet),
        "automountServiceAccountToken": True,
        "securityContext": pod.pod_security(),
        "terminationGracePeriodSeconds": timing.grace_s(fleet),
        "containers": [container],
        "volumes": volumes,
    }


def _args(parent: Parent, fleet: DisaggregatedLLM) -> list[str]:
    spec = fleet.spec
    read = {role: f"{labels.PROFILES_DIR}/{role}.json" for role in Role}
    flags = {
        "fleet": parent.fleet,
        "namespace": parent.namespace,
        "host": "0.0.0.0",
        "port": labels.GATEWAY_PORT,
        "profile": read[Role.DECODE],
        **{f"{role}-profile": file for role, file in read.items()},
        "model": spec.model.name,
        "ttft": spec.slo.ttft.target,
        "tpot": spec.slo.tpot.target,
        "order": spec.gateway.routing.order,
        "kv-lease": f"{timing.lease_s(fleet)}s",
        "drain": f"{timing.drain_s(fleet)}s",
    }
    return [f"--{flag}={value}" for flag, value in flags.items()]
