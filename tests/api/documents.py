"""Resources as a person writes them, with calm values; a test says only what matters to it."""

import json
from typing import Any

Document = dict[str, Any]

POOL = {"name": "h200", "accelerator": {"name": "nvidia-h200"}, "profileRef": "h200-8b"}
FLEET: Document = {
    "apiVersion": "tandem.dev/v1alpha1",
    "kind": "DisaggregatedLLM",
    "metadata": {"name": "chat"},
    "spec": {
        "model": {"name": "meta-llama/Llama-3.1-8B-Instruct"},
        "slo": {"ttft": {"target": "500ms"}, "tpot": {"target": "40ms"}},
        "prefill": {"pools": [POOL]},
        "decode": {"pools": [POOL]},
    },
}
PROFILE: Document = {
    "apiVersion": "tandem.dev/v1alpha1",
    "kind": "EngineProfile",
    "metadata": {"name": "h200-8b"},
    "spec": {
        "model": "meta-llama/Llama-3.1-8B-Instruct",
        "accelerator": {"name": "nvidia-h200"},
        "prefill": {"aSeconds": 2.3e-3, "bSecondsPerToken": 19.6e-6, "cSecondsPerToken2": 0.49e-9},
        "decode": {
            "alphaSeconds": 4.9e-3,
            "betaSecondsPerSequence": 10.9e-6,
            "gammaSecondsPerToken": 30.3e-9,
        },
        "kv": {"bytesPerToken": 131072, "capacityTokens": 892023},
        "transfer": {"latencySeconds": 0.4e-3, "bandwidthBytesPerSecond": 32.5e9},
    },
}


def fleet(**changes: object) -> Document:
    """A minimal fleet with fields of its spec changed: `fleet(prefill__replicas={"min": 2})`."""
    return changed(FLEET, changes)


def profile(**changes: object) -> Document:
    """A minimal engine profile with fields of its spec changed, likewise."""
    return changed(PROFILE, changes)


def changed(document: Document, changes: Document) -> Document:
    """A copy with values of the spec replaced; `a__b` is field b of a, `a__0` its first item."""
    # By way of JSON: deepcopy would keep two fields that share a value sharing it.
    copy: Document = json.loads(json.dumps(document))
    for path, value in changes.items():
        *above, last = path.split("__")
        node: Any = copy["spec"]
        for part in above:
            node = node[int(part)] if part.isdigit() else node.setdefault(part, {})
        node[last] = value
    return copy
