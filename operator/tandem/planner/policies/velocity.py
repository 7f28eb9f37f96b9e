"""What one replica does at most, as rules without a queue take it: tokens a second, no wait, no spread.

Such a rule asks for load/velocity replicas, so one that is busy all of its time counts as enough.
"""

from math import ceil

import numpy as np

from tandem.api.role import Role
from tandem.perf.engine_profile import EngineProfile
from tandem.planner.demand import Demand, LengthMix, from_cells
from tandem.planner.history import History
from tandem.planner.model import Memory
from tandem.planner.queueing import decode
from tandem.planner.spec import FleetSpec

ROUNDING = 1e-9  # exactly 3 replicas' work is for 3
UNKNOWN = "no arrivals or no lengths are known yet, so there is nothing to size for"


def replicas(load: float) -> int:
    """Whole replicas for a load in replicas."""
    return max(0, ceil(load - ROUNDING))


def recent(memory: Memory, window_s: float) -> Demand | None:
    """Arrivals of the last `window_s`, or of the last look if that is longer; None while none is known."""
    lengths = from_cells(memory.cells)
    if lengths is None or not memory.rates:
        return None
    history = History.of(memory.rates)
    longest_s = max(window_s, memory.rates[-1][1])
    rate_rps = float(history.rates_rps(np.array([history.end_s]), longest_s)[0])
    return Demand(rate_rps=rate_rps, lengths=lengths) if np.isfinite(rate_rps) else None


def prefill_tokens_per_s(profile: EngineProfile, lengths: LengthMix) -> float:
    """New input tokens a second of an engine whose batches are always full."""
    cost, tokens, cached = profile.prefill, lengths.input_tokens, lengths.cached_tokens
    squares = float(lengths.weights @ (tokens**2 - cached**2))
    batches = lengths.mean_new / profile.batch_tokens
    prompt_s = cost.a_s * batches + cost.b_s_per_token * lengths.mean_new
    return lengths.mean_new / (prompt_s + cost.c_s_per_token2 * squares)


def link_tokens_per_s(profile: EngineProfile) -> float:
    """Tokens whose KV goes over a replica's link in a second."""
    return profile.transfer.bandwidth_bytes_per_s / profile.kv.bytes_per_token


def decode_tokens_per_s(profile: EngineProfile, lengths: LengthMix, tpot_s: float) -> float:
    """Output tokens a second at the largest batch whose step stays within `tpot_s`, KV and batch cap."""
    batch = residents(profile, lengths, tpot_s)
    return batch / decode.work(profile, lengths).step_s(batch)


def residents(profile: EngineProfile, lengths: LengthMix, tpot_s: float) -> float:
    """That batch; one request where even that is slower."""
    work = decode.work(profile, lengths)
    return max(1.0, min(work.capacity, (tpot_s - work.fixed_s) / work.resident_s))


def prefill_load(demand: Demand, spec: FleetSpec) -> float:
    """Prefill replicas that are busy all of their time."""
    profile = spec.roles[Role.PREFILL].profile
    tokens_per_s = demand.rate_rps * demand.lengths.mean_new
    return tokens_per_s / prefill_tokens_per_s(profile, demand.lengths)


def decode_load(demand: Demand, spec: FleetSpec) -> float:
    """Decode replicas that are at their largest batch all of their time."""
    profile = spec.roles[Role.DECODE].profile
    tokens_per_s = demand.rate_rps * demand.lengths.mean_output
    return tokens_per_s / decode_tokens_per_s(profile, demand.lengths, spec.slo.tpot_s)
