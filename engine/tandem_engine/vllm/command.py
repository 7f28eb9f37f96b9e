"""The command line and the environment of one vLLM engine, derived from what a revision needs.

Tried with vLLM 0.32. The CPU distribution's `vllm` script cannot start; the module can.
"""

import json
from dataclasses import dataclass
from pathlib import Path

PATIENCE = Path(__file__).parent / "patience"  # a sitecustomize for engines that have no GPU
LEAST_LEASE_S = 6  # the decode side beats every lease // 6 seconds, in integers
CPU_KV_BYTES = 32 * 2**20  # 16,384 tokens of the tiny model


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSpec:
    """What one engine needs to be told; the rest follows.

    `core` pins a CPU engine to one core (two engines on two cores starve each other otherwise);
    `kv_bytes` is the memory of its KV cache. Both are for engines without a GPU, None with one.
    `model` is a folder or the hub's name of a model. Tokens that are None are the engine's choice.
    `more` are words for vLLM itself; of a flag given twice it takes the last.
    """

    model: Path | str
    port: int
    side_channel_port: int
    core: int | None = None
    kv_bytes: int | None = None
    served_name: str = "tiny"
    host: str = "127.0.0.1"
    side_channel_host: str | None = None  # where decode engines pull KV; None is `host`
    lease_s: int = 30  # vLLM's own default; at least 6
    drain_s: int = 35  # the prefill side waits for leased blocks: lease + 5 s
    context_tokens: int | None = 2048
    batch_tokens: int | None = 2048
    more: tuple[str, ...] = ()


def command(python: Path, spec: EngineSpec) -> list[str]:
    """The command line of an engine run by `python`."""
    transfer = {
        "kv_connector": "NixlConnector",
        "kv_role": "kv_both",  # deprecated in 0.32, and the only one that can change its role
        "kv_load_failure_policy": "recompute",
        "kv_connector_extra_config": {"kv_lease_duration": spec.lease_s},
    }
    flags = {
        "model": str(spec.model),
        "served-model-name": spec.served_name,
        "host": spec.host,
        "port": str(spec.port),
        "shutdown-timeout": str(spec.drain_s),
    }
    limits = {
        "max-model-len": spec.context_tokens,
        "max-num-batched-tokens": spec.batch_tokens,
        "kv-cache-memory-bytes": spec.kv_bytes,
    }
    flags |= {flag: str(limit) for flag, limit in limits.items() if limit is not None}
    module = [str(python), "-m", "vllm.entrypoints.openai.api_server"]
    if spec.core is not None:
        transfer["kv_buffer_device"] = "cpu"
        flags["dtype"] = "float32"
        module.append("--enforce-eager")  # a GPU gains from graphs, a core only starts later
    flags["kv-transfer-config"] = json.dumps(transfer)
    return [*module, *(f"--{flag}={value}" for flag, value in flags.items()), *spec.more]


def environment(spec: EngineSpec) -> dict[str, str]:
    """What an engine reads from its environment, beyond what every process has."""
    found = {
        "VLLM_NO_USAGE_STATS": "1",
        "VLLM_NIXL_SIDE_CHANNEL_HOST": spec.side_channel_host or spec.host,
        "VLLM_NIXL_SIDE_CHANNEL_PORT": str(spec.side_channel_port),
    }
    if isinstance(spec.model, Path):
        found["HF_HUB_OFFLINE"] = "1"  # all of it is in the folder
    if spec.core is not None:
        found |= {"VLLM_CPU_OMP_THREADS_BIND": str(spec.core), "PYTHONPATH": str(PATIENCE)}
    return found
