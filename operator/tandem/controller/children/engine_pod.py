"""The pod of an engine: the pool's template, over what an engine starts from, under what it needs."""

from collections.abc import Callable, Mapping
from typing import Any

from tandem.api.engine_spec import EngineType
from tandem.api.fleet import DisaggregatedLLM
from tandem.api.role import Role
from tandem.cluster.kubernetes import labels
from tandem.controller.children import emulator, merge, names, pod, timing, vllm
from tandem.controller.children.engine import Engine
from tandem.controller.options import Images

ENGINES: Mapping[EngineType, Callable[[DisaggregatedLLM, Role, Images], Engine]] = {
    EngineType.EMULATOR: emulator.engine,
    EngineType.VLLM: vllm.engine,
}
_SIDE_CHANNEL = "side-channel"


def template(fleet: DisaggregatedLLM, role: Role, images: Images, revision: str) -> dict[str, Any]:
    """The pod template of a role's engines at a revision."""
    spec = fleet.spec
    pool = spec.roles[role].pool
    field = f"spec.{role}.pools[0].template"
    engine = ENGINES[spec.engine.type](fleet, role, images)
    mine = labels.of_engine(fleet.metadata.name, role, names.pool(role, pool.name), revision)
    wished = merge.merged(_start(engine, images), pool.template or {}, field)
    return merge.merged(wished, _needs(fleet, engine, mine), field)


def _start(engine: Engine, images: Images) -> dict[str, Any]:
    """What a template may change."""
    volumes, mounts = pod.volumes((pod.SCRATCH, *engine.volumes))
    container = {
        "name": labels.ENGINE,
        "image": engine.image,
        "imagePullPolicy": images.pull_policy,
        "command": ["tandem-engine"],
        "env": _env(engine.env),
        "resources": dict(engine.resources),
        "securityContext": pod.container_security(),
        "volumeMounts": mounts,
    }
    return {
        "metadata": {"labels": {}},
        "spec": {
            **pod.pull_secrets(images),
            "automountServiceAccountToken": False,
            "securityContext": pod.pod_security(),
            "containers": [container],
            "volumes": volumes,
        },
    }


def _needs(fleet: DisaggregatedLLM, engine: Engine, mine: Mapping[str, str]) -> dict[str, Any]:
    """What no template changes."""
    asked = fleet.spec.engine
    served = pod.serving(labels.ENGINE_PORT)
    served["ports"].append(
        {"name": _SIDE_CHANNEL, "containerPort": labels.SIDE_CHANNEL_PORT, "protocol": "TCP"}
    )
    container = {
        "name": labels.ENGINE,
        **({"image": asked.image} if asked.image else {}),
        "args": [*engine.words, *asked.args],
        "env": _own_env() + _env({each.name: each.value for each in asked.env}),
        **served,
    }
    return {
        "metadata": {"labels": dict(mine)},
        "spec": {
            "terminationGracePeriodSeconds": timing.grace_s(fleet),
            "containers": [container],
        },
    }


def _own_env() -> list[dict[str, Any]]:
    """Where and who the pod is; first, so that other variables can refer to it."""
    fields = {"POD_IP": "status.podIP", "POD_NAME": "metadata.name"}
    return [
        {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}
        for name, path in fields.items()
    ]


def _env(values: Mapping[str, str]) -> list[dict[str, Any]]:
    """Variables that are not our own; an empty value is left out, as the API server leaves it out."""
    own = {each["name"] for each in _own_env()}
    given = {name: value for name, value in values.items() if name not in own}
    return [{"name": name} | ({"value": value} if value else {}) for name, value in given.items()]
