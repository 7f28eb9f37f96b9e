"""Prefill: GI/G/c with one central queue, each pod serving one prompt at a time.

An M/M/1 per replica would overstate this wait 1.5 to 50 times: the queue is shared. Two moments do not
fix a P99 either, so the law is that of heavy traffic (Kingman 1962; Allen and Cunneen 1978), started from
Erlang C at the peakedness of the arrivals (Hayward; Fredericks 1980), and bent by what simulations of
such queues showed (`bend`):

    ln P(W > t) = ln C(c/z, A/z) − u + δ(u),    u = 2(cμ − λ)t / (Ca² + Cs²)

with z = 1 + (Ca² − 1)·E[min(S, S')]/E[S] (Eckberg 1983), S and S' independent.
"""

from dataclasses import dataclass
from functools import lru_cache
from math import exp

import numpy as np

from tandem.perf.engine_profile import EngineProfile
from tandem.planner.demand import RECENT, Floats, LengthMix
from tandem.planner.queueing import bend
from tandem.planner.queueing.bend import ServiceLaw
from tandem.planner.queueing.erlang import ln_delay_probability
from tandem.planner.queueing.wait import ENDLESS, NO_WAIT, Wait

LEAST_VARIATION = 1e-3  # Ca² + Cs²: a clockwork queue has no tail, and no division by zero
IDLE = 1e-9  # of the time of all servers: nobody waits
LAST_SPAN = float(bend.KNOTS[-1] - bend.KNOTS[-2])
LEAST_SLOPE = 0.05  # of ln P(W > t) in u: a tail ends


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PrefillWork:
    """Seconds of prefill of each length point, shape (points,), and what their law is like.

    Attributes:
        service_s: S of each point.
        mean_s: E[S].
        law: of S.

    """

    service_s: Floats
    mean_s: float
    law: ServiceLaw


@lru_cache(maxsize=RECENT)
def work(profile: EngineProfile, lengths: LengthMix) -> PrefillWork:
    """What these prompts cost."""
    seconds = service_s(profile, lengths.input_tokens, lengths.cached_tokens)
    return of_service(seconds, lengths.weights)


def service_s(profile: EngineProfile, input_tokens: Floats, cached_tokens: Floats) -> Floats:
    """Seconds of prompts, each alone in chunks of the engine's budget: `EngineProfile.prefill_s` of all at once."""
    cost, new = profile.prefill, input_tokens - cached_tokens
    chunks = np.ceil(new / profile.batch_tokens)
    squares = input_tokens**2 - cached_tokens**2
    return chunks * cost.a_s + cost.b_s_per_token * new + cost.c_s_per_token2 * squares


def of_service(service_s: Floats, weights: Floats) -> PrefillWork:
    """The work of prompts that take so long, with weights that sum to 1."""
    mean_s = float(weights @ service_s)
    return PrefillWork(service_s=service_s, mean_s=mean_s, law=ServiceLaw.of(service_s, weights))


def wait(work: PrefillWork, rate_rps: float, arrival_ca2: float, servers: float) -> Wait:
    """The wait of a prompt for one of `servers` pods, which need not be whole."""
    load = rate_rps * work.mean_s
    if load >= servers:
        return ENDLESS
    if load <= IDLE * servers:
        return NO_WAIT
    peakedness = work.law.peakedness(arrival_ca2)
    start = ln_delay_probability(load / peakedness, servers / peakedness)
    bent = start - bend.KNOTS + bend.of(work.law, arrival_ca2, load, servers)
    logs = np.minimum.accumulate(np.minimum(bent, 0.0))
    variation = max(arrival_ca2 + work.law.scv, LEAST_VARIATION)
    scale_s = work.mean_s * variation / 2 / (servers - load)
    fall = max(float(logs[-2] - logs[-1]) / LAST_SPAN, LEAST_SLOPE)
    return Wait(exp(logs[0]), fall / scale_s, bend.KNOTS * scale_s, logs)
