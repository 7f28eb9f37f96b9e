"""The families of vLLM 0.32 that an emulator exports, what each tells, and what it never counts."""

GAUGES = {
    "vllm:num_requests_running": "Number of requests in model execution batches.",
    "vllm:num_requests_waiting": "Number of requests waiting to be processed.",
    "vllm:num_requests_waiting_by_reason": (
        "Waiting requests: 'capacity' waits for a place, 'deferred' for its KV transfer."
    ),
    "vllm:num_requests_kv_fetch_by_stage": (
        "Waiting requests whose KV comes from a peer, by stage of the load."
    ),
    "vllm:engine_sleep_state": "Engine sleep state; an emulator is always awake.",
    "vllm:kv_cache_usage_perc": "KV-cache usage. 1 means 100 percent usage.",
    "tandem_emulator_lag_seconds": "How far behind the profile's time the last step ended.",
    "tandem_emulator_kv_leases": "Finished prefill legs whose KV is pinned for a peer.",
}

COUNTERS = {
    "vllm:nixl_num_failed_transfers": "Number of failed KV transfers (the puller's side).",
    "vllm:nixl_num_failed_notifications": "Number of failed KV notifications.",
    "vllm:nixl_num_kv_expired_reqs": "Number of requests that had their KV expire (prefill side).",
    "vllm:nixl_num_notifications_after_expiry": (
        "Number of completion notifications for requests whose KV was not pinned any more."
    ),
    "vllm:estimated_flops_per_gpu": "Not estimated by an emulator.",
    "vllm:estimated_read_bytes_per_gpu": "Not estimated by an emulator.",
    "vllm:estimated_write_bytes_per_gpu": "Not estimated by an emulator.",
    "vllm:prefix_cache_queries": "Prefix cache queries, in tokens.",
    "vllm:prefix_cache_hits": "Prefix cache hits, in tokens; an emulator has none.",
    "vllm:external_prefix_cache_queries": "Queries for KV of other instances, in tokens.",
    "vllm:external_prefix_cache_hits": "Tokens that another instance was to send.",
    "vllm:mm_cache_queries": "Multi-modal cache queries.",
    "vllm:mm_cache_hits": "Multi-modal cache hits.",
    "vllm:num_preemptions": "Cumulative number of preemption from the engine.",
    "vllm:prompt_tokens": "Number of prefill tokens processed.",
    "vllm:prompt_tokens_by_source": "Number of prompt tokens by source.",
    "vllm:prompt_tokens_cached": "Number of cached prompt tokens (local + external).",
    "vllm:prompt_tokens_cached_by_source": (
        "Prompt tokens not computed, by tier; p2p counts failed loads too, as vLLM does."
    ),
    "vllm:generation_tokens": "Number of generation tokens processed.",
    "vllm:request_success": "Count of successfully processed requests.",
    "vllm:admission_rejections": "Number of admission attempts rejected by a queue limit.",
}

ALWAYS_ZERO = (
    "vllm:nixl_num_failed_notifications",
    "vllm:estimated_flops_per_gpu",
    "vllm:estimated_read_bytes_per_gpu",
    "vllm:estimated_write_bytes_per_gpu",
    "vllm:prefix_cache_hits",
    "vllm:mm_cache_queries",
    "vllm:mm_cache_hits",
)

HISTOGRAMS = {
    "vllm:nixl_xfer_time_seconds": "Histogram of transfer duration for KV transfers.",
    "vllm:nixl_post_time_seconds": "Histogram of transfer post time for KV transfers.",
    "vllm:nixl_bytes_transferred": "Histogram of bytes transferred per KV transfer.",
    "vllm:nixl_num_descriptors": "Histogram of blocks per KV transfer.",
    "vllm:request_prompt_tokens": "Number of prefill tokens processed.",
    "vllm:request_generation_tokens": "Number of generation tokens processed.",
    "vllm:iteration_tokens_total": "Histogram of number of tokens per engine_step.",
    "vllm:request_max_num_generation_tokens": "Histogram of the most tokens generated a request.",
    "vllm:request_params_n": "Histogram of the n request parameter.",
    "vllm:request_params_max_tokens": "Histogram of the max_tokens request parameter.",
    "vllm:time_to_first_token_seconds": "Histogram of time to first token in seconds.",
    "vllm:inter_token_latency_seconds": "Histogram of inter-token latency in seconds.",
    "vllm:request_time_per_output_token_seconds": (
        "Histogram of time_per_output_token_seconds per request."
    ),
    "vllm:e2e_request_latency_seconds": "Histogram of e2e request latency in seconds.",
    "vllm:request_queue_time_seconds": "Histogram of time spent in WAITING phase for request.",
    "vllm:request_inference_time_seconds": "Histogram of time spent in RUNNING phase for request.",
    "vllm:request_prefill_time_seconds": "Histogram of time spent in PREFILL phase for request.",
    "vllm:request_decode_time_seconds": "Histogram of time spent in DECODE phase for request.",
    "vllm:request_num_preemptions": "Histogram of the preemptions of a request.",
    "vllm:request_prefill_kv_computed_tokens": "Histogram of new KV tokens per request.",
}

# vLLM's own labels; what an emulator has no answer to stands as vLLM writes it by default.
CACHE_CONFIG = {
    "_block_size_resolved": "True",
    "cache_dtype": "auto",
    "cache_hit_alignment_tokens": "None",
    "enable_mamba_shared_prefix_checkpoint": "False",
    "enable_prefix_caching": "False",
    "gpu_memory_utilization": "0.92",
    "hash_block_size": "None",
    "is_attention_free": "False",
    "kv_cache_dtype_skip_layers": "[]",
    "kv_cache_layout": "None",
    "kv_offloading_backend": "native",
    "kv_offloading_size": "None",
    "kv_sharing_fast_prefill": "False",
    "mamba_block_size": "None",
    "mamba_cache_dtype": "auto",
    "mamba_cache_mode": "none",
    "mamba_page_size_padded": "None",
    "mamba_ssm_cache_dtype": "float32",
    "num_cpu_blocks": "None",
    "num_gpu_blocks_override": "None",
    "prefix_cache_retention_interval": "0",
    "prefix_caching_hash_algo": "sha256",
    "prefix_match_unit": "None",
    "replayssm_buffer_len": "16",
    "skip_page_size_padded": "None",
    "sliding_window": "None",
    "swa_bounded_replay": "True",
    "use_kda_recoverssm": "False",
    "use_replayssm": "False",
    "user_specified_block_size": "False",
}
