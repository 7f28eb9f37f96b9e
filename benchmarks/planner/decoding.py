"""Reference decode pools: the engine's rules in C (`decoding.c`), ten thousand requests in milliseconds.

`tests/planner/queueing/test_references.py` holds them to `tandem.perf.engine`, request by request.
"""

import ctypes
from dataclasses import dataclass

import numpy as np
from benchmarks.planner.native import library
from numpy.typing import NDArray

from tandem.perf.engine_profile import EngineProfile

Floats = NDArray[np.float64]
BINS = 20_000  # of step times, each 1/200 of the fixed cost of a step
WARM_UP = 0.1  # of the requests


class _Engine(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_double) for name in ("alpha", "beta", "gamma", "a", "b", "c")),
        *((name, ctypes.c_int64) for name in ("blocks", "block_tokens", "cap", "budget")),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What a pool of engines did after a warm-up: steps by tokens, means over time, a row a request.

    Seconds; a request that did not get so far has NaN. `counts` are tokens whose step took so many times
    `bin_s`.
    """

    counts: Floats
    bin_s: float
    residents: float
    mean_step_s: float
    kv_blocks: float
    wait_s: Floats
    first_s: Floats
    stay_s: Floats
    preempted: NDArray[np.int32]

    def step_quantile_s(self, share: float) -> float:
        """Over tokens."""
        below = np.cumsum(self.counts) / self.counts.sum()
        return float(np.interp(share, below, (np.arange(BINS) + 1) * self.bin_s))


def play(
    profile: EngineProfile, replicas: int, arrivals_s: Floats, inputs: Floats, outputs: Floats
) -> Run:
    """Requests whose KV is there when they come; they end with the last arrival, wherever they are."""
    count = len(arrivals_s)
    decode, prefill, kv = profile.decode, profile.prefill, profile.kv
    engine = _Engine(
        decode.alpha_s,
        decode.beta_s_per_sequence,
        decode.gamma_s_per_token,
        prefill.a_s,
        prefill.b_s_per_token,
        prefill.c_s_per_token2,
        kv.capacity_tokens // kv.block_tokens,
        kv.block_tokens,
        profile.batch_cap,
        profile.batch_tokens,
    )
    warm = int(count * WARM_UP)
    bin_s = max(decode.alpha_s, decode.beta_s_per_sequence) / 200
    admitted, first, last = (np.full(count, np.nan) for _ in range(3))
    preempted, counts, sums = np.zeros(count, np.int32), np.zeros(BINS), np.zeros(4)
    lengths = [np.ascontiguousarray(each, dtype=np.int64) for each in (inputs, outputs)]
    library("decoding").play(
        ctypes.byref(engine),
        ctypes.c_int64(replicas),
        ctypes.c_int64(count),
        *(_pointer(each) for each in (arrivals_s, *lengths)),
        ctypes.c_double(arrivals_s[warm]),
        ctypes.c_double(bin_s),
        ctypes.c_int64(BINS),
        *(_pointer(each) for each in (admitted, first, last, preempted, counts, sums)),
    )
    return Run(
        counts=counts,
        bin_s=bin_s,
        residents=float(sums[1] / sums[0]),
        mean_step_s=float(sums[1] / sums[2]),
        kv_blocks=float(sums[3] / sums[0]),
        wait_s=(admitted - arrivals_s)[warm:],
        first_s=(first - arrivals_s)[warm:],
        stay_s=(last - admitted)[warm:],
        preempted=preempted[warm:],
    )


def _pointer(array: NDArray[np.generic]) -> ctypes.c_void_p:
    return array.ctypes.data_as(ctypes.c_void_p)
