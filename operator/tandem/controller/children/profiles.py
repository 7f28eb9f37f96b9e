"""The engine profiles of a fleet, for its gateway and its emulated engines."""

from collections.abc import Mapping
from typing import Any

from tandem.api.role import Role
from tandem.controller.children import names
from tandem.controller.children.parent import Parent
from tandem.perf import profile_file
from tandem.perf.engine_profile import EngineProfile


def files(given: Mapping[Role, EngineProfile]) -> dict[str, str]:
    """One file for each role, by its name."""
    return {f"{role}.json": profile_file.text(given[role]) for role in Role}


def config_map(parent: Parent, given: Mapping[Role, EngineProfile]) -> dict[str, Any]:
    """The ConfigMap that holds them."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": parent.metadata(names.profiles(parent.fleet)),
        "data": files(given),
    }
