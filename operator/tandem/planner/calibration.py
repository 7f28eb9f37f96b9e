"""Self-calibration: by how much this fleet's engines are slower or faster than their profile says.

    prefill   seconds that pods were busy / seconds that the prompts of the interval should have taken
    decode    TPOT of the requests that ended / iterations as long as the residents and KV there ask for

Each is a ratio of two sums that fade together, so that a burst weighs as much in both and a prompt that
is prefilled in one interval and ends in the next does no harm. Both begin with a few requests that took
what the profile says: a profile that is wrong by a factor of two is corrected within 200 requests, and one
odd interval moves little.

An interval whose ratio is beyond what a wrong profile could be, or whose figures are missing, stale, or no
numbers, moves nothing.

Source: this project; a ratio estimator with exponential forgetting.
"""

from collections.abc import Mapping
from dataclasses import replace
from math import exp

import numpy as np

from tandem.api.role import Role
from tandem.perf.engine_profile import DecodeCost, EngineProfile, PrefillCost
from tandem.planner.model import Memory, Sums
from tandem.planner.observation import Missing, Observation
from tandem.planner.readings import MOST_INTERVAL_S, MOST_REQUESTS, MOST_SHARE, usable
from tandem.planner.spec import FleetSpec

PRIOR_REQUESTS = 20.0  # that took what the profile says
FORGET_S = 900.0  # after which an interval weighs 1/e: longer than requests last, shorter than a day's drift
BELIEVED = (
    5.0  # a ratio beyond, or below its inverse, tells of a broken figure and not of an engine
)
MOST_TPOT_S = 100.0


def observed(observation: Observation, memory: Memory, spec: FleetSpec) -> Memory:
    """The memory after one more interval."""
    interval_s = observation.traffic.interval_s
    if not 0 < interval_s <= MOST_INTERVAL_S:
        return memory
    seen = {
        Role.PREFILL: _prefill(observation, memory, spec),
        Role.DECODE: _decode(observation, spec),
    }
    keep = exp(-interval_s / FORGET_S)
    sums = dict(memory.times)
    for role, pair in seen.items():
        if pair is not None and pair.told_s > 0 and _is_believed(pair.took_s / pair.told_s):
            before = sums.get(role, Sums())
            sums[role] = Sums(
                before.took_s * keep + pair.took_s,
                before.told_s * keep + pair.told_s,
                before.requests * keep + pair.requests,
            )
    stale_s = spec.behavior.stale_after_s
    queued = usable(observation.traffic.queued_requests, MOST_REQUESTS, stale_s)
    return replace(
        memory, times=sums, queued=memory.queued if isinstance(queued, Missing) else queued
    )


def factor(memory: Memory, role: Role) -> float:
    """What a role's times have to be multiplied by; 1 while nothing is known."""
    sums = memory.times.get(role, Sums())
    if not sums.requests:
        return 1.0
    prior_s = PRIOR_REQUESTS * sums.told_s / sums.requests
    return (sums.took_s + prior_s) / (sums.told_s + prior_s)


def calibrated(spec: FleetSpec, memory: Memory) -> FleetSpec:
    """The fleet with the times that its engines were seen to take."""
    roles = {
        role: replace(row, profile=_scaled(row.profile, _factors(memory)))
        for role, row in spec.roles.items()
    }
    return replace(spec, roles=roles)


def _factors(memory: Memory) -> Mapping[Role, float]:
    return {role: factor(memory, role) for role in Role}


def _scaled(profile: EngineProfile, factors: Mapping[Role, float]) -> EngineProfile:
    prefill, decode = profile.prefill, profile.decode
    by_prefill, by_decode = factors[Role.PREFILL], factors[Role.DECODE]
    return replace(
        profile,
        prefill=PrefillCost(
            a_s=prefill.a_s * by_prefill,
            b_s_per_token=prefill.b_s_per_token * by_prefill,
            c_s_per_token2=prefill.c_s_per_token2 * by_prefill,
        ),
        decode=DecodeCost(
            alpha_s=decode.alpha_s * by_decode,
            beta_s_per_sequence=decode.beta_s_per_sequence * by_decode,
            gamma_s_per_token=decode.gamma_s_per_token * by_decode,
        ),
    )


def _prefill(observation: Observation, memory: Memory, spec: FleetSpec) -> Sums | None:
    """Busy seconds of the pods, and those that the prompts they began should have taken.

    Begun is what came and waits no longer; their lengths are those of requests that ended lately.
    """
    traffic, stale_s = observation.traffic, spec.behavior.stale_after_s
    busy = usable(traffic.utilisation.get(Role.PREFILL), MOST_SHARE, stale_s)
    came = usable(traffic.arrivals, MOST_REQUESTS, stale_s)
    queued = usable(traffic.queued_requests, MOST_REQUESTS, stale_s)
    pods = observation.pods.get(Role.PREFILL)
    if isinstance(busy, Missing) or isinstance(came, Missing) or isinstance(queued, Missing):
        return None
    if pods is None or not memory.cells:
        return None
    begun = came - (queued - memory.queued)
    if begun <= 0:
        return None
    told_s = begun * _mean_prefill_s(memory, spec.roles[Role.PREFILL].profile)
    return Sums(busy * pods.ready * traffic.interval_s, told_s, begun)


def _mean_prefill_s(memory: Memory, profile: EngineProfile) -> float:
    """Of the prompts that are remembered, each alone in chunks of the engine's budget."""
    inputs, cached, _, weights = np.array(memory.cells).T
    known = np.minimum(cached, inputs - 1)
    new, cost = inputs - known, profile.prefill
    seconds = (
        np.ceil(new / profile.batch_tokens) * cost.a_s
        + cost.b_s_per_token * new
        + cost.c_s_per_token2 * (inputs**2 - known**2)
    )
    return float(weights @ seconds / weights.sum())


def _decode(observation: Observation, spec: FleetSpec) -> Sums | None:
    """Mean seconds a token of requests that ended, and of iterations of what the pods hold."""
    traffic, stale_s = observation.traffic, spec.behavior.stale_after_s
    profile = spec.roles[Role.DECODE].profile
    tpot_s = usable(traffic.tpot_s, MOST_TPOT_S, stale_s)
    ended = usable(traffic.finished, MOST_REQUESTS, stale_s)
    running = usable(traffic.running.get(Role.DECODE), MOST_REQUESTS, stale_s)
    kv = usable(traffic.kv_usage.get(Role.DECODE), MOST_SHARE, stale_s)
    if any(isinstance(each, Missing) for each in (tpot_s, ended, running, kv)):
        return None
    assert not isinstance(tpot_s, Missing)
    assert not isinstance(ended, Missing)
    assert not isinstance(running, Missing)
    assert not isinstance(kv, Missing)
    if running < 1 or not ended:
        return None
    told_s = profile.decode.step_s(running, kv * profile.kv.capacity_tokens)
    return Sums(ended * tpot_s, ended * told_s, ended)


def _is_believed(ratio: float) -> bool:
    return 1 / BELIEVED <= ratio <= BELIEVED
