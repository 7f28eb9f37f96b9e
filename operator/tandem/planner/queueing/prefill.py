"""Prefill: M/G/c with one central queue, each pod serving one prompt at a time.

Mean by Allen and Cunneen (1978), with the exponential tail that heavy traffic gives (Kingman):

    P(W > t) = C(c, A) · exp(−2(cμ − λ)t / (Ca² + Cs²))

An M/M/1 per replica would overstate this wait 1.5 to 50 times: the queue is shared.
"""

from dataclasses import dataclass

import numpy as np

from tandem.perf.engine_profile import EngineProfile
from tandem.planner.demand import Floats, LengthMix
from tandem.planner.queueing.erlang import delay_probability
from tandem.planner.queueing.wait import ENDLESS, NO_WAIT, Wait

# Inflation of the tail where service varies more than an exponential's, 1 + (Cs² − 1)⁺ / (8c), fitted
# to simulated P99 (benchmarks/planner/errors.py). Twice it would overstate P99 by a fifth at c = 1.
HEAVY_SERVICE = 1 / 8
LEAST_VARIATION = 1e-3  # Ca² + Cs²: a clockwork queue has no tail, and no division by zero


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PrefillWork:
    """Seconds of prefill of each length point, shape (points,), their mean and squared variation."""

    service_s: Floats
    mean_s: float
    scv: float


def work(profile: EngineProfile, lengths: LengthMix) -> PrefillWork:
    """What these prompts cost: `EngineProfile.prefill_s`, over all points at once."""
    cost, total = profile.prefill, lengths.input_tokens
    new = total - lengths.cached_tokens
    chunks = np.ceil(new / profile.batch_tokens)
    squares = total**2 - lengths.cached_tokens**2
    service_s = chunks * cost.a_s + cost.b_s_per_token * new + cost.c_s_per_token2 * squares
    mean_s = float(lengths.weights @ service_s)
    variance = float(lengths.weights @ (service_s - mean_s) ** 2)
    return PrefillWork(service_s=service_s, mean_s=mean_s, scv=variance / mean_s**2)


def wait(work: PrefillWork, rate_rps: float, arrival_ca2: float, servers: int) -> Wait:
    """The wait of a prompt for one of `servers` pods."""
    load = rate_rps * work.mean_s
    if load >= servers:
        return ENDLESS
    if load <= 0:
        return NO_WAIT
    variation = max(arrival_ca2 + work.scv, LEAST_VARIATION)
    heavy = 1 + HEAVY_SERVICE * max(0.0, work.scv - 1) / servers
    spare_rps = (servers - load) / work.mean_s
    return Wait(delay_probability(load, servers), 2 * spare_rps / (variation * heavy))
