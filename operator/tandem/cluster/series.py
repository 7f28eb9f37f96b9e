"""Names of the series that Tandem exports and reads: written once, here.

Engine names are per engine type and version range; a name that an engine lacks is said, never 0.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSeries:
    """Names that one kind of engine exports on /metrics."""

    running: str
    waiting: str
    kv_usage: str
    prompt_tokens: str
    generation_tokens: str
    prompt_tokens_by_source: str
    preemptions: str
    finished: str
    kv_expired: str
    kv_failed: str
    kv_transfer: str  # a histogram of seconds, on the engine that pulls; of each rank's part

    @property
    def read(self) -> tuple[str, ...]:
        """What is read of each engine."""
        return self.running, self.kv_usage, self.generation_tokens, *self.transfers

    @property
    def transfers(self) -> tuple[str, str]:
        """Seconds that KV took to come, and how many times it came."""
        return f"{self.kv_transfer}_sum", f"{self.kv_transfer}_count"


VLLM = EngineSeries(  # vLLM 0.32; the emulator exports the same
    running="vllm:num_requests_running",
    waiting="vllm:num_requests_waiting",
    kv_usage="vllm:kv_cache_usage_perc",
    prompt_tokens="vllm:prompt_tokens_total",
    generation_tokens="vllm:generation_tokens_total",
    prompt_tokens_by_source="vllm:prompt_tokens_by_source_total",
    preemptions="vllm:num_preemptions_total",
    finished="vllm:request_success_total",
    kv_expired="vllm:nixl_num_kv_expired_reqs_total",
    kv_failed="vllm:nixl_num_failed_transfers_total",
    kv_transfer="vllm:nixl_xfer_time_seconds",
)
ENGINE_SERIES = {"vllm": VLLM, "emulator": VLLM}

TARGET_POD = "target_pod"  # label of the gateway's series that tell of an engine pod

# What the gateway exports. Counters count requests unless the name says otherwise.
ARRIVALS = "tandem_gateway_arrivals_total"
FINISHED = "tandem_gateway_finished_total"  # ok | refused | cut | cancelled | error | invalid
SLO = "tandem_gateway_slo_total"  # ttft: met | missed, tpot: met | missed; every ended request once
LENGTHS = "tandem_gateway_request_lengths_total"  # input, cached, output: bucket representatives
PROMPTS = (
    "tandem_gateway_prompts_total"  # input, cached: likewise, as soon as a prompt is prefilled
)
DISPERSION = "tandem_gateway_arrival_dispersion"  # gauge, counts of 1 s over the last minutes
DISPERSION_10S = "tandem_gateway_arrival_dispersion_10s"  # gauge, counts of 10 s
RETRIES = "tandem_gateway_retries_total"  # leg: prefill | decode, reason
RELEASES = "tandem_gateway_kv_releases_total"  # outcome: released | failed
QUEUED_REQUESTS = "tandem_gateway_queued_requests"
QUEUED_TOKENS = "tandem_gateway_queued_tokens"
IN_FLIGHT = "tandem_gateway_in_flight_requests"  # role, target_pod
PINNED = "tandem_gateway_pinned_requests"  # target_pod: prefilled there, not pulled yet
PREFILL_BUSY = "tandem_gateway_prefill_busy_seconds_total"  # target_pod; with a leg out
TTFT = "tandem_gateway_time_to_first_token_seconds"
TPOT = "tandem_gateway_time_per_output_token_seconds"
ITL = "tandem_gateway_inter_token_latency_seconds"
E2E = "tandem_gateway_e2e_latency_seconds"
QUEUE = "tandem_gateway_queue_seconds"
PREFILL_LEG = "tandem_gateway_prefill_leg_seconds"
HANDOVER = "tandem_gateway_handover_seconds"  # decode leg sent to its first token

# What the operator exports; every series has the labels fleet_namespace and fleet.
DESIRED = "tandem_desired_replicas"  # role: what the operator asks for; for those who scale by HPA
READY = "tandem_ready_replicas"  # role
STARTING = "tandem_starting_replicas"  # role
DRAINING = "tandem_draining_replicas"  # role
OPTIMAL = "tandem_optimal_replicas"  # role: the policy's wish before any limit
ATTAINMENT = "tandem_slo_attainment_ratio"  # measured over the last interval that had requests
ATTAINMENT_TARGET = "tandem_slo_attainment_target_ratio"
TTFT_TARGET = "tandem_slo_ttft_seconds"
TPOT_TARGET = "tandem_slo_tpot_seconds"
PREDICTED_ATTAINMENT = "tandem_predicted_attainment_ratio"
PREDICTED_TTFT = "tandem_predicted_ttft_seconds"  # quantile: 0.5 | 0.9 | 0.95 | 0.99
PREDICTED_TPOT = "tandem_predicted_tpot_seconds"  # quantile
UTILISATION = "tandem_predicted_utilisation_ratio"  # stage: prefill | link | decode | kv
BOTTLENECK = "tandem_bottleneck"  # stage: 1 for the one that gives way first, else 0
COST = "tandem_cost_per_hour"  # of every pod that is not yet gone
DECISIONS = "tandem_decisions_total"  # role, direction: up | down
CONDITION = "tandem_condition"  # by its type; 1 is True, 0 False, -1 Unknown
METRICS_AGE = "tandem_metrics_age_seconds"  # of the oldest figure of the last tick
TICKS = "tandem_ticks_total"  # outcome: ok | error
TICK_SECONDS = "tandem_tick_seconds"  # summary: _sum and _count
API_REQUESTS = "tandem_api_requests_total"  # verb, code; without the fleet's labels
BUILD = "tandem_build_info"  # version; without the fleet's labels
