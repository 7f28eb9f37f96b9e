"""Self-calibration: by how much this fleet's engines are slower or faster than their profile says.

    prefill   seconds that pods were busy / seconds that the prompts prefilled meanwhile should have taken
    decode    TPOT of the requests that ended / iterations as long as the residents and KV there ask for
    link      seconds that KV took to come to decode / those that its bytes should have taken (`transfers`)

Prefill has one factor, a ratio of two sums that fade together, so that a burst weighs as much in both and a
prompt that begins in one interval and is there in the next does no harm. Decode has a factor for each term
(`terms`). Both begin with a few requests that took what the profile says: a profile that is
wrong by a factor of two is corrected within 200 requests, and one odd interval moves little.

What was learnt belongs to a revision and a profile. Those of another revision are a guess that weighs
little from then on; a ratio to another profile is none.

An interval whose ratio is beyond what a wrong profile could be, or whose figures are missing, stale, no
numbers, older than the last or seen before, moves nothing.

Source: this project; a ratio estimator with exponential forgetting.
"""

from collections.abc import Mapping
from dataclasses import astuple, replace
from functools import lru_cache
from math import exp, isfinite

import numpy as np

from tandem.api.role import Role
from tandem.perf.engine_profile import DecodeCost, EngineProfile, PrefillCost
from tandem.planner import arriving, ratio, terms, transfers
from tandem.planner.cells import NO_CELLS, Cells
from tandem.planner.demand import Floats
from tandem.planner.identity import by_identity
from tandem.planner.model import Memory, Sums, Terms
from tandem.planner.observation import Figure, Missing, Observation
from tandem.planner.queueing import prefill
from tandem.planner.readings import MOST_INTERVAL_S, MOST_REQUESTS, MOST_SHARE, usable
from tandem.planner.sketch import believed
from tandem.planner.spec import FleetSpec
from tandem.planner.terms import PRIOR_REQUESTS, Factors

# After which an interval weighs 1/e. What prompts take is seen exactly; what a step takes hangs on residents that move.
FORGET_S = {Role.PREFILL: 900.0, Role.DECODE: 300.0}
LATEST = 0.5  # of a request's life: what its replica held then is what its steps took
MOST_TPOT_S = 100.0
LIGHT_LENGTHS = 50.0  # requests that lengths of another revision weigh
ALL, LINK = "fleet", "link"  # under which revision and link are kept beside the profiles


def observed(observation: Observation, memory: Memory, spec: FleetSpec) -> Memory:
    """The memory after one more interval."""
    memory = _of_these_engines(memory, observation, spec)
    interval_s, true_s = observation.traffic.interval_s, _true_s(observation)
    if not 0 < interval_s <= MOST_INTERVAL_S:
        return memory
    if memory.learnt_s is not None and true_s is not None and true_s <= memory.learnt_s:
        return memory
    return replace(
        memory,
        times=_times(observation, memory, spec),
        terms=_terms(observation, memory, spec),
        links=transfers.learnt(memory.links, observation, spec),
        learnt_s=memory.learnt_s if true_s is None else true_s,
    )


def factor(memory: Memory) -> float:
    """What prefill's times have to be multiplied by; 1 while nothing is known."""
    return ratio.factor(memory.times.get(Role.PREFILL, Sums()))


def mean_factor(memory: Memory, role: Role) -> tuple[float, float]:
    """What a role's times are multiplied by in the mean, and how many requests say so, fading."""
    if role is Role.DECODE:
        return terms.mean_factor(memory.terms), terms.requests_of(memory.terms)
    return factor(memory), memory.times.get(role, Sums()).requests


def calibrated(spec: FleetSpec, memory: Memory) -> FleetSpec:
    """The fleet with the times that its engines were seen to take."""
    by_prefill, by_decode = factor(memory), terms.factors(memory.terms)
    by_link = ratio.factor(memory.links)

    @by_identity  # roles of one engine have one profile
    def seen(profile: EngineProfile) -> EngineProfile:
        return transfers.scaled(scaled(profile, by_prefill, by_decode), by_link)

    return spec.with_engines(seen)


def scaled(profile: EngineProfile, by_prefill: float, by_decode: Factors) -> EngineProfile:
    """A profile whose prompts take so many times as long, and each term of whose decode steps."""
    prefill, decode = profile.prefill, profile.decode
    return replace(
        profile,
        prefill=PrefillCost(
            a_s=prefill.a_s * by_prefill,
            b_s_per_token=prefill.b_s_per_token * by_prefill,
            c_s_per_token2=prefill.c_s_per_token2 * by_prefill,
        ),
        decode=DecodeCost(
            alpha_s=decode.alpha_s * by_decode[0],
            beta_s_per_sequence=decode.beta_s_per_sequence * by_decode[1],
            gamma_s_per_token=decode.gamma_s_per_token * by_decode[2],
        ),
    )


def _of_these_engines(memory: Memory, observation: Observation, spec: FleetSpec) -> Memory:
    """The memory for the engines that serve now: what is known of others weighs little, or nothing."""
    engines = {ALL: observation.revision}
    engines |= {str(role): _known_as(spec.roles[role].profile) for role in Role}
    engines[LINK] = transfers.known_as(spec.roles[Role.DECODE].profile)
    before = memory.engines
    if engines == before:
        return memory
    memory = replace(memory, engines=engines)
    if not before:
        return memory
    is_same = {name: before.get(name) == engines[name] for name in engines}
    links = ratio.lightened(memory.links) if is_same.pop(LINK) else Sums()
    if all(is_same.values()):
        return replace(memory, links=links)
    sums = memory.times.get(Role.PREFILL, Sums())
    sums = ratio.lightened(sums) if is_same[str(Role.PREFILL)] else Sums()
    known = terms.lightened(memory.terms, PRIOR_REQUESTS)
    return replace(
        memory,
        times={Role.PREFILL: sums},
        terms=known if is_same[str(Role.DECODE)] else Terms(),
        links=links,
        cells=memory.cells if is_same[ALL] else _lightened(memory.cells),
        prompts=memory.prompts if is_same[ALL] else _lightened(memory.prompts),
        fresh=memory.fresh if is_same[ALL] else NO_CELLS,
        fresh_prompts=memory.fresh_prompts if is_same[ALL] else NO_CELLS,
    )


@lru_cache(maxsize=64)
def _known_as(profile: EngineProfile) -> str:
    """A profile by its name, its accelerators and its costs: one that was measured anew is another."""
    costs = (*astuple(profile.prefill), *astuple(profile.decode))
    numbers = " ".join(f"{cost:.5g}" for cost in costs)
    return f"{profile.name} {profile.accelerators} x {profile.accelerator} {numbers}"


def _lightened(cells: Cells) -> Cells:
    return cells.times(min(1.0, LIGHT_LENGTHS / max(cells.requests, 1e-9)))


def _true_s(observation: Observation) -> float | None:
    """When the newest counts were true; None where there are none, or no clock."""
    counts = (observation.traffic.arrivals, observation.traffic.finished)
    ages = [each.age_s for each in counts if isinstance(each, Figure) and isfinite(each.age_s)]
    return observation.now_s - min(ages) if ages and isfinite(observation.now_s) else None


def _times(observation: Observation, memory: Memory, spec: FleetSpec) -> Mapping[Role, Sums]:
    """Prefill's sums with those of one more interval."""
    before = memory.times.get(Role.PREFILL, Sums())
    keep = exp(-observation.traffic.interval_s / FORGET_S[Role.PREFILL])
    sums = ratio.after(before, _prefill(observation, spec), keep)
    return memory.times if sums is before else {Role.PREFILL: sums}


def _prefill(observation: Observation, spec: FleetSpec) -> Sums | None:
    """Busy seconds of the pods, and those that the prompts they were done with should have taken."""
    traffic, stale_s = observation.traffic, spec.behavior.stale_after_s
    busy = usable(traffic.utilisation.get(Role.PREFILL), MOST_SHARE, stale_s)
    pods = observation.pods.get(Role.PREFILL)
    prompts = believed(arriving.prefilled(traffic))
    if isinstance(busy, Missing) or pods is None or not len(prompts):
        return None
    told_s = _prompts_s(prompts, spec.roles[Role.PREFILL].profile)
    return Sums(busy * pods.ready * traffic.interval_s, told_s, float(prompts[:, 3].sum()))


def _prompts_s(prompts: Floats, profile: EngineProfile) -> float:
    """Of all prompts, each alone in chunks of the engine's budget."""
    inputs, cached, _, weights = prompts.T
    return float(weights @ prefill.service_s(profile, inputs, np.minimum(cached, inputs - 1)))


def _terms(observation: Observation, memory: Memory, spec: FleetSpec) -> Terms:
    """Decode's terms with the TPOT of requests that ended, and what their replicas held."""
    traffic, stale_s = observation.traffic, spec.behavior.stale_after_s
    profile, known = spec.roles[Role.DECODE].profile, memory.terms
    running = usable(traffic.running.get(Role.DECODE), MOST_REQUESTS, stale_s)
    kv = usable(traffic.kv_usage.get(Role.DECODE), MOST_SHARE, stale_s)
    if isinstance(running, Missing) or isinstance(kv, Missing):
        return known
    tpot_s = usable(traffic.tpot_s, MOST_TPOT_S, stale_s)
    finished = usable(traffic.finished, MOST_REQUESTS, stale_s)
    if isinstance(tpot_s, Missing) or isinstance(finished, Missing):
        return known
    if running < 1 or not finished:
        return known
    ended = believed(traffic.lengths)
    life_s = tpot_s * float(np.average(ended[:, 2], weights=ended[:, 3])) if len(ended) else 0.0
    known = terms.held(known, running, kv, traffic.interval_s, LATEST * life_s)
    cost = profile.decode
    parts_s = (
        cost.alpha_s,
        cost.beta_s_per_sequence * known.residents,
        cost.gamma_s_per_token * known.kv * profile.kv.capacity_tokens,
    )
    told_s = sum(parts_s)
    row = [part_s / told_s for part_s in parts_s]
    keep = exp(-traffic.interval_s / FORGET_S[Role.DECODE])
    return terms.learnt(known, row, tpot_s / told_s, finished, keep)
