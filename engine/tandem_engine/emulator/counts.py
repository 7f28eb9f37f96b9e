"""What an emulator has done so far: plain counts, so that a token costs an addition."""

from bisect import bisect_left
from collections.abc import Sequence

FINISHED_REASONS = ("stop", "length", "abort", "error", "repetition")

# Upper bounds as vLLM 0.32 exports them, recorded in tests/golden/vllm.
N = (1, 2, 5, 10, 20)
PREEMPTIONS = (1, 2, 3, 4, 5, 10, 20)
ITERATION_TOKENS = (1, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384)
TTFT_S = (
    *(0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75),
    *(1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 40.0, 80.0, 160.0, 640.0, 2560.0),
)
ITL_S = (
    *(0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75),
    *(1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 40.0, 80.0),
)
REQUEST_S = (
    *(0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0),
    *(60.0, 120.0, 240.0, 480.0, 960.0, 1920.0, 7680.0),
)
XFER_S = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 5.0)
POST_S = (0.001, *XFER_S)
XFER_BYTES = tuple(2.0**exponent for exponent in range(11, 34, 2))
DESCRIPTORS = (10, 20, 30, 50, 75, 100, 200, 400, 1000, 2000, 4000, 10000, 20000, 50000)


class Histogram:
    """Counts per bucket, and the sum."""

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = tuple(map(float, bounds))
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float, times: int = 1) -> None:
        """Count a value that was seen `times` times."""
        self.counts[bisect_left(self.bounds, value)] += times
        self.sum += value * times


class Counts:
    """Everything /metrics needs that the engine does not hold itself."""

    def __init__(self, max_context_tokens: int) -> None:
        tokens = token_bounds(max_context_tokens)
        self.prompt_tokens = 0
        self.pulled_tokens = 0  # of the prompt tokens: those that came from a peer
        self.offered_tokens = 0  # prompt tokens that a peer was asked for, pulled or not
        self.generation_tokens = 0
        self.failed_pulls = 0
        self.finished = dict.fromkeys(FINISHED_REASONS, 0)
        self.iteration_tokens = Histogram(ITERATION_TOKENS)
        self.ttft_s = Histogram(TTFT_S)
        self.itl_s = Histogram(ITL_S)
        self.tpot_s = Histogram(ITL_S)
        self.e2e_s = Histogram(REQUEST_S)
        self.queue_s = Histogram(REQUEST_S)
        self.inference_s = Histogram(REQUEST_S)
        self.prefill_s = Histogram(REQUEST_S)
        self.decode_s = Histogram(REQUEST_S)
        self.request_preemptions = Histogram(PREEMPTIONS)
        self.request_prompt_tokens = Histogram(tokens)
        self.request_generation_tokens = Histogram(tokens)
        self.request_max_tokens = Histogram(tokens)
        self.request_n = Histogram(N)
        self.xfer_s = Histogram(XFER_S)
        self.post_s = Histogram(POST_S)
        self.xfer_bytes = Histogram(XFER_BYTES)
        self.xfer_blocks = Histogram(DESCRIPTORS)


def token_bounds(most: int) -> tuple[int, ...]:
    """1, 2, 5, 10, 20, 50, ... up to `most`, as vLLM makes them from its context length."""
    powers = (10**exponent for exponent in range(len(str(most))))
    return tuple(n for power in powers for n in (power, 2 * power, 5 * power) if n <= most)
