from collections.abc import Iterable

import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families
from tests.tandem_engine.emulator.golden import GOLDEN
from tests.tandem_engine.emulator.rig import PROMPT, rig

Samples = set[tuple[str, frozenset[tuple[str, str]]]]


def families(text: str) -> dict[str, Metric]:
    """The families of vLLM, without when they were created."""
    found = text_string_to_metric_families(text)
    return {
        each.name: each
        for each in found
        if each.name.startswith("vllm:") and not each.name.endswith("_created")
    }


def labelled(samples: Iterable[Metric]) -> Samples:
    return {
        (sample.name, frozenset(sample.labels.items()))
        for family in samples
        for sample in family.samples
    }


@pytest.mark.parametrize("side", ["prefill", "decode"])
async def test_every_family_has_vllms_name_type_labels_and_buckets(side: str) -> None:
    golden = families((GOLDEN / f"metrics_{side}.txt").read_text())
    async with rig() as engine:
        await engine.complete()
        _, text = await engine.get("/metrics")
    ours = families(text)
    config, our_config = golden.pop("vllm:cache_config_info"), ours.pop("vllm:cache_config_info")
    assert {name: each.type for name, each in ours.items()} == {
        name: each.type for name, each in golden.items()
    }
    assert labelled(ours.values()) == labelled(golden.values())
    said, our_said = config.samples[0].labels, our_config.samples[0].labels
    assert our_said.keys() == said.keys()
    for label in ("block_size", "kv_cache_size_tokens", "num_gpu_blocks", "kv_cache_memory_bytes"):
        assert our_said[label] == said[label]


async def test_a_request_counts_once_and_its_tokens_all() -> None:
    async with rig() as engine:
        await engine.complete(max_tokens=4)
        await engine.stream(3)
        assert await engine.value("vllm:request_success_total", finished_reason="length") == 2
        assert await engine.value("vllm:prompt_tokens_total") == 2 * len(PROMPT)
        assert await engine.value("vllm:generation_tokens_total") == 7
        assert await engine.value("vllm:time_to_first_token_seconds_count") == 2
        assert await engine.value("vllm:inter_token_latency_seconds_count") == 5
        assert await engine.value("vllm:request_time_per_output_token_seconds_count") == 2
        assert await engine.value("vllm:iteration_tokens_total_count") == 7
        assert await engine.value("vllm:kv_cache_usage_perc") == 0


async def test_the_request_times_add_up_to_its_latency() -> None:
    async with rig() as engine:
        await engine.complete(max_tokens=5)
        parts = [
            await engine.value(f"vllm:request_{part}_time_seconds_sum")
            for part in ("queue", "prefill", "decode")
        ]
        whole = await engine.value("vllm:e2e_request_latency_seconds_sum")
    assert sum(parts) == pytest.approx(whole, abs=1e-4)
    assert min(parts[1:]) > 0.03
