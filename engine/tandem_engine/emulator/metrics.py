"""/metrics: vLLM 0.32's families, names, labels and buckets, read off the counts at scrape time.

`_created` samples are left out; what an emulator has none of stands at 0 (caches, sleep, flops).
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from tandem import __version__
from tandem.perf.sequence import Stage
from tandem_engine.emulator.counts import Histogram
from tandem_engine.emulator.emulator import Emulator
from tandem_engine.emulator.families import (
    ALWAYS_ZERO,
    CACHE_CONFIG,
    COUNTERS,
    GAUGES,
    HISTOGRAMS,
)

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
Values = float | tuple[str, Mapping[str, float]]  # one, or a label with a value for each of its


def exposition(emulator: Emulator) -> bytes:
    """The text of one scrape."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Scrape(emulator))
    return generate_latest(registry)


class _Scrape(Collector):
    """One look at an emulator."""

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator
        self._labels = {"model_name": emulator.settings.model, "engine": "0"}

    def describe(self) -> Iterable[Metric]:
        """Nothing: names are not checked against another collector."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Every family."""
        for name, value in _gauges(self._emulator).items():
            yield self._family(GaugeMetricFamily(name, GAUGES[name], labels=()), name, value)
        for name, value in _counters(self._emulator).items():
            family = CounterMetricFamily(name, COUNTERS[name], labels=())
            yield self._family(family, f"{name}_total", value)
        for name, histogram in _histograms(self._emulator).items():
            yield self._histogram(name, histogram)
        yield self._rejections()
        yield self._cache_config()
        info = GaugeMetricFamily("tandem_emulator_info", "An emulator, not an engine.", labels=())
        profile = {"profile": self._emulator.settings.profile.name, "version": __version__}
        info.add_sample("tandem_emulator_info", profile, 1)
        yield info

    def _family(self, family: Metric, sample: str, values: Values) -> Metric:
        if isinstance(values, tuple):
            label, each = values
            for word, value in each.items():
                family.add_sample(sample, self._labels | {label: word}, value)
        else:
            family.add_sample(sample, self._labels, values)
        return family

    def _histogram(self, name: str, histogram: Histogram) -> Metric:
        family = HistogramMetricFamily(name, HISTOGRAMS[name], labels=tuple(self._labels))
        bounds = [*map(floatToGoString, histogram.bounds), "+Inf"]
        buckets = [(b, float(n)) for b, n in zip(bounds, accumulate(histogram.counts), strict=True)]
        family.add_metric(tuple(self._labels.values()), buckets, histogram.sum)
        return family

    def _rejections(self) -> Metric:
        """None, and without the label `engine`: in vLLM its front end counts them."""
        name = "vllm:admission_rejections"
        family = CounterMetricFamily(name, COUNTERS[name], labels=())
        for reason in ("max_num_queued_reqs", "max_num_queued_tokens"):
            labels = {"model_name": self._labels["model_name"], "reason": reason}
            family.add_sample(f"{name}_total", labels, 0)
        return family

    def _cache_config(self) -> Metric:
        """What routers read the block size and the number of blocks from."""
        settings, blocks = self._emulator.settings, self._emulator.core.engine.blocks_total
        kv = settings.profile.kv
        kv_tokens = blocks * kv.block_tokens
        name = "vllm:cache_config_info"
        family = GaugeMetricFamily(name, "Information of the LLMEngine CacheConfig", labels=())
        resolved = {
            "engine": "0",
            "block_size": str(kv.block_tokens),
            "effective_attention_block_size": str(kv.block_tokens),
            "num_gpu_blocks": str(blocks),
            "kv_cache_size_tokens": str(kv_tokens),
            "kv_cache_memory_bytes": str(int(kv_tokens * kv.bytes_per_token)),
            "kv_cache_max_concurrency": str(kv_tokens / settings.context_tokens),
        }
        family.add_sample(name, CACHE_CONFIG | resolved, 1)
        return family


def _gauges(emulator: Emulator) -> dict[str, Values]:
    core = emulator.core
    engine = core.engine
    stages = [call.sequence.stage for call in core.calls.values()]
    loading = stages.count(Stage.LOADING)
    arrived = core.arrived
    unstarted = sum(sequence.remote_kv for sequence in engine.waiting)
    waiting = len(engine.waiting)
    fetches = {
        "waiting_to_start": unstarted,
        "in_progress": loading - arrived,
        "completed_waiting": arrived,
    }
    return {
        "vllm:num_requests_running": engine.running - loading,
        "vllm:num_requests_waiting": waiting + loading,
        "vllm:num_requests_waiting_by_reason": (
            "reason",
            {"capacity": waiting, "deferred": loading},
        ),
        "vllm:num_requests_kv_fetch_by_stage": ("stage", fetches),
        "vllm:engine_sleep_state": (
            "sleep_state",
            {"awake": 1, "weights_offloaded": 0, "discard_all": 0},
        ),
        "vllm:kv_cache_usage_perc": engine.kv_usage,
        "tandem_emulator_lag_seconds": core.lag_s,
        "tandem_emulator_kv_leases": len(core.leases),
    }


def _counters(emulator: Emulator) -> dict[str, Values]:
    counts, core = emulator.counts, emulator.core
    pulled = counts.pulled_tokens
    computed = counts.prompt_tokens - pulled
    sources = {"local_compute": computed, "local_cache_hit": 0, "external_kv_transfer": pulled}
    tiers = dict.fromkeys(("device", "host", "p2p", "disk", "external_unspecified"), 0)
    zeros: dict[str, Values] = dict.fromkeys(ALWAYS_ZERO, 0)
    return zeros | {
        "vllm:nixl_num_failed_transfers": counts.failed_pulls,
        "vllm:nixl_num_kv_expired_reqs": core.leases.expired,
        "vllm:nixl_num_notifications_after_expiry": core.leases.late_releases,
        "vllm:prefix_cache_queries": counts.prompt_tokens,
        "vllm:external_prefix_cache_queries": counts.prompt_tokens,
        "vllm:external_prefix_cache_hits": counts.offered_tokens,
        "vllm:num_preemptions": core.engine.preemptions,
        "vllm:prompt_tokens": counts.prompt_tokens,
        "vllm:prompt_tokens_by_source": ("source", sources),
        "vllm:prompt_tokens_cached": pulled,
        "vllm:prompt_tokens_cached_by_source": ("source", tiers | {"p2p": counts.offered_tokens}),
        "vllm:generation_tokens": counts.generation_tokens,
        "vllm:request_success": ("finished_reason", counts.finished),
    }


def _histograms(emulator: Emulator) -> dict[str, Histogram]:
    counts = emulator.counts
    return {
        "vllm:nixl_xfer_time_seconds": counts.xfer_s,
        "vllm:nixl_post_time_seconds": counts.post_s,
        "vllm:nixl_bytes_transferred": counts.xfer_bytes,
        "vllm:nixl_num_descriptors": counts.xfer_blocks,
        "vllm:request_prompt_tokens": counts.request_prompt_tokens,
        "vllm:request_generation_tokens": counts.request_generation_tokens,
        "vllm:iteration_tokens_total": counts.iteration_tokens,
        "vllm:request_max_num_generation_tokens": counts.request_generation_tokens,
        "vllm:request_params_n": counts.request_n,
        "vllm:request_params_max_tokens": counts.request_max_tokens,
        "vllm:time_to_first_token_seconds": counts.ttft_s,
        "vllm:inter_token_latency_seconds": counts.itl_s,
        "vllm:request_time_per_output_token_seconds": counts.tpot_s,
        "vllm:e2e_request_latency_seconds": counts.e2e_s,
        "vllm:request_queue_time_seconds": counts.queue_s,
        "vllm:request_inference_time_seconds": counts.inference_s,
        "vllm:request_prefill_time_seconds": counts.prefill_s,
        "vllm:request_decode_time_seconds": counts.decode_s,
        "vllm:request_num_preemptions": counts.request_preemptions,
        "vllm:request_prefill_kv_computed_tokens": counts.request_prompt_tokens,
    }
