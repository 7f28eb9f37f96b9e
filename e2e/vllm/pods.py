"""A fleet of real vLLM engines in the cluster in a box: no GPU, and no image of 6 GB.

The environment and its interpreter are mounted from the node, where they stand at the same paths.
"""

import subprocess
from pathlib import Path
from typing import Any

from e2e.vllm.users import MODEL

from tandem.cluster import local
from tandem.perf import from_resource, profile_file

_PROFILE = Path(local.__file__).with_name("cpu-tiny-llama.toml")
_HOME_OF_ROOT = "/root"  # closed to the engine's user in any image; interpreters may lie below it
_IN_THE_IMAGE = "/usr"  # Debian's interpreter is there as here
CORES = {"prefill": "0", "decode": "1"}


def profile() -> dict[str, Any]:
    """The profile of the tiny model on a core, as a resource."""
    resource = from_resource.resource(profile_file.read(_PROFILE, "-"))
    return resource.model_dump(mode="json", by_alias=True, exclude_none=True)


def real(python: Path, model: Path, name: str = "chat") -> dict[str, Any]:
    """A fleet of one real engine for each role, none of which the load makes more."""
    arguments = [f"--python={python}", "--cpu-core=$(CORE)"]
    return {
        "apiVersion": "tandem.dev/v1alpha1",
        "kind": "DisaggregatedLLM",
        "metadata": {"name": name},
        "spec": {
            "model": {"name": MODEL, "source": {"path": f"{model}"}},
            "engine": {"type": "vllm", "args": arguments, "drain": "35s"},
            "slo": {"ttft": {"target": "10s"}, "tpot": {"target": "500ms"}, "attainment": 0.9},
            **{role: _role(role, [python.parents[1], _prefix(python), model]) for role in CORES},
            "autoscaling": {"interval": "2s"},
        },
    }


def _role(role: str, folders: list[Path]) -> dict[str, Any]:
    described = profile()
    return {
        "replicas": {"min": 1, "max": 1},
        "pools": [
            {
                "name": "cpu",
                "accelerator": described["spec"]["accelerator"],
                "profileRef": described["metadata"]["name"],
                "template": _template(CORES[role], folders),
            }
        ],
    }


def _template(core: str, folders: list[Path]) -> dict[str, Any]:
    """A pod on one core, with folders of the node; not root, so the way to them has to be open."""
    mounted = [path for path in folders if f"{path}" != _IN_THE_IMAGE]
    volumes: list[dict[str, Any]] = [{"name": "open", "emptyDir": {}}]
    mounts: list[dict[str, Any]] = [{"name": "open", "mountPath": _HOME_OF_ROOT}]
    for number, path in enumerate(mounted):
        volumes.append({"name": f"node-{number}", "hostPath": {"path": f"{path}"}})
        mounts.append({"name": f"node-{number}", "mountPath": f"{path}", "readOnly": True})
    engine = {
        "name": "engine",
        # No GPU; and not what is left of the cores when all others have theirs.
        "resources": {"requests": {"cpu": "250m"}},
        "env": [{"name": "CORE", "value": core}],
        "volumeMounts": mounts,
    }
    return {"spec": {"containers": [engine], "volumes": volumes}}


def _prefix(python: Path) -> Path:
    """Where the interpreter of an environment is installed."""
    command = [f"{python}", "-c", "import sys; print(sys.base_prefix)"]
    return Path(subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip())
