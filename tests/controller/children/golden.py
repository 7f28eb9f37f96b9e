"""Two fleets and the files that hold what becomes of them; run, it writes the files anew."""

import json
from pathlib import Path

import yaml
from tests.controller.children import builders

FOLDER = Path(__file__).parents[2] / "golden" / "children"
ON_CPU = {
    "spec": {
        "securityContext": {"runAsUser": 1000},
        "containers": [
            {
                "name": "engine",
                "env": [{"name": "PYTHONPATH", "value": "/opt/vllm/more"}],
                "resources": {"requests": {"cpu": "1"}},
                "volumeMounts": [{"name": "vllm", "mountPath": "/opt/vllm", "readOnly": True}],
            }
        ],
        "volumes": [{"name": "vllm", "hostPath": {"path": "/opt/vllm"}}],
    }
}
FLEETS = {
    "vllm": builders.fleet(
        model__maxContext=32768,
        engine__args=["--python=/opt/vllm/bin/python", "--cpu-core=1", "--", "--seed=1"],
        prefill__pools__0__accelerator__count=2,
        decode__pools__0__template=ON_CPU,
    ),
    "emulator": builders.fleet(
        engine={"type": "emulator", "drain": "1m", "env": [{"name": "UVLOOP", "value": "1"}]}
    ),
}


def path(name: str) -> Path:
    return FOLDER / f"{name}.yaml"


def text(name: str) -> str:
    """A fleet's children as one would apply them; by way of JSON, for YAML without anchors."""
    objects = json.loads(json.dumps(builders.rendered(FLEETS[name])))
    return yaml.safe_dump_all(objects, sort_keys=False, width=100)


if __name__ == "__main__":
    for name in FLEETS:
        path(name).write_text(text(name), encoding="utf-8")
