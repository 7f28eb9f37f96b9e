"""Fleets, their owner and their profiles, as the renderer gets them."""

from dataclasses import replace
from typing import Any

from tests.api import documents

from tandem.api.fleet import DisaggregatedLLM
from tandem.api.parse import parse_fleet
from tandem.api.role import Role
from tandem.controller.children import children
from tandem.controller.options import Images
from tandem.perf.library import PROFILES

NAMESPACE = "models"
OWNER = {
    "apiVersion": "tandem.dev/v1alpha1",
    "kind": "DisaggregatedLLM",
    "name": "chat",
    "uid": "0f3c1f0e-0000-4000-8000-000000000001",
    "controller": True,
    "blockOwnerDeletion": True,
}
IMAGES = Images(
    gateway="tandem/gateway:1", emulator="tandem/engine-emulator:1", vllm="tandem/engine-vllm:1"
)
PROFILE = replace(PROFILES["h200-llama-3.1-8b-tp1"], source="measured")

Object = dict[str, Any]


def fleet(**changes: object) -> DisaggregatedLLM:
    """A fleet with fields changed, as in `documents.fleet`."""
    return parse_fleet(documents.fleet(**changes))


def rendered(of: DisaggregatedLLM, images: Images = IMAGES) -> list[Object]:
    return children(of, OWNER, NAMESPACE, dict.fromkeys(Role, PROFILE), images)


def found(objects: list[Object], kind: str, name: str) -> Object:
    (one,) = (o for o in objects if (o["kind"], o["metadata"]["name"]) == (kind, name))
    return one


def engines(of: DisaggregatedLLM, role: Role = Role.DECODE, images: Images = IMAGES) -> Object:
    """The Deployment of a role's engines."""
    (one,) = (
        o
        for o in rendered(of, images)
        if o["kind"] == "Deployment" and o["metadata"]["labels"].get("tandem.dev/role") == role
    )
    return one


def pod(of: DisaggregatedLLM, role: Role = Role.DECODE) -> Object:
    """The pod's spec of a role's engines."""
    spec: Object = engines(of, role)["spec"]["template"]["spec"]
    return spec


def engine(of: DisaggregatedLLM, role: Role = Role.DECODE) -> Object:
    """The engine's container."""
    (one,) = (c for c in pod(of, role)["containers"] if c["name"] == "engine")
    container: Object = one
    return container


def gateway(of: DisaggregatedLLM) -> Object:
    return found(rendered(of), "Deployment", f"{of.metadata.name}-gateway")
