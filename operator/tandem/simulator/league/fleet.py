"""From a job to the scenario that is simulated.

All policies of a case start from the same fleet: the planner's own sizing for the arrivals of the first
minutes, its lengths (what an endless cache would hold is cached) and its unevenness, within the bounds. A policy's limits on its pace are off
(`spec.OWN_PACE`), so that nothing but its own rule is judged.
"""

from dataclasses import asdict, replace
from functools import lru_cache, partial
from hashlib import sha256
from pathlib import Path

import numpy as np

from tandem.api.role import Role
from tandem.errors import InvalidInputError
from tandem.perf.fit import fit_decode, fit_prefill
from tandem.perf.library import profile as library_profile
from tandem.perf.step_times import StepTimes
from tandem.perf.truth import truth
from tandem.planner.demand import MOST_ARRIVAL_CA2, Demand, from_requests
from tandem.planner.plan import plan
from tandem.planner.sizing import size
from tandem.planner.spec import OWN_PACE, FleetSpec, RoleSpec, Slo
from tandem.simulator.features import ClusterFeatures, EngineFeatures
from tandem.simulator.league import arrivals, schedule
from tandem.simulator.league.job import SCHEDULE, STATIC, Case, Conditions, Job
from tandem.simulator.scenario import Planner, Scenario
from tandem.traces.columns import columns
from tandem.traces.statistics import block_tokens, reused_tokens

FIRST_S = 180.0  # of a trace, sized for in the common start: seconds of a spike weigh little in it
SWITCH_S = 5.0  # until a drained pod is Ready in the other role: all policies may let pods switch
_BATCH_POWERS = 9  # batches up to 256
_LEAST_CONTEXT_POWER = 8  # contexts from 256 on
_POWERS = 16  # batches and lengths up to 32,768


def scenario(job: Job) -> Scenario:
    """What the simulator is asked."""
    spec = fleet_spec(job.case.conditions, job.policy, job.parameters)
    prefill, decode = job.start or start(job.case)
    sees_nothing = job.policy == SCHEDULE
    trace = arrivals.trace(job.case.load, job.case.seed)
    return Scenario(
        trace=trace,
        spec=spec,
        replicas={Role.PREFILL: prefill, Role.DECODE: decode},
        planner=_planner(job),
        order=job.order,
        scrape_age_s=0.0 if sees_nothing else job.case.conditions.scrape_age_s,
        drain_s=job.case.conditions.drain_s,
        seed=job.case.seed,
        engines=EngineFeatures(prefix_block_tokens=block_tokens(trace) or 0),
        cluster=ClusterFeatures(
            start_spread=job.case.conditions.start_spread, missed_scrapes=float(sees_nothing)
        ),
        times=times(job.case.conditions),
    )


def fleet_spec(
    conditions: Conditions, policy: str = STATIC, parameters: tuple[tuple[str, float], ...] = ()
) -> FleetSpec:
    """The fleet as the planner sees it."""
    role = RoleSpec(
        profile=library_profile(conditions.profile),
        min_replicas=conditions.least,
        max_replicas=conditions.most,
        lead_time_s=conditions.cold_start_s,
    )
    return FleetSpec(
        slo=Slo(
            ttft_s=conditions.ttft_s, tpot_s=conditions.tpot_s, attainment=conditions.attainment
        ),
        roles=dict.fromkeys(Role, role),
        behavior=OWN_PACE,
        policy=STATIC if policy == SCHEDULE else policy,
        parameters=dict(parameters),
        interval_s=conditions.interval_s,
        switch_s=SWITCH_S,
    )


@lru_cache(maxsize=4)
def times(conditions: Conditions) -> dict[Role, StepTimes]:
    """The true step times of each role's engines; refused where they are not those of the league."""
    true = _truth(conditions)
    if digest(conditions) != conditions.digest:
        same = "the same profile and step times on every machine that plays"
        raise InvalidInputError("--truth", conditions.truth, same)
    return dict.fromkeys(Role, true)


def digest(conditions: Conditions) -> str:
    """Of the profile, and of the true step times: over a grid of what they are asked."""
    profile, true = library_profile(conditions.profile), _truth(conditions)
    powers = [2**i for i in range(_POWERS)]
    seconds = [true.step_s((), batch, batch * tokens) for batch in powers for tokens in powers]
    seconds += [true.step_s([(0, tokens)], 0, 0) for tokens in powers]
    return sha256(repr((_numbers(asdict(profile)), seconds)).encode()).hexdigest()


def _numbers(value: object) -> object:
    """The same with every whole number as a float: a compiled profile has made it one."""
    if isinstance(value, dict):
        return {name: _numbers(each) for name, each in value.items()}
    return float(value) if isinstance(value, int) else value


def _truth(conditions: Conditions) -> StepTimes:
    folder = Path(conditions.data) if conditions.data else None
    return truth(conditions.truth, library_profile(conditions.profile), folder)


@lru_cache(maxsize=16)
def start(case: Case) -> tuple[int, int]:
    """(prefill, decode) that every policy of a case starts from."""
    return sized(case, 0.0, FIRST_S)


def sized(case: Case, begin_s: float, end_s: float) -> tuple[int, int]:
    """The planner's own sizing for what arrives within a part of the trace (the whole, if nothing does)."""
    trace = arrivals.trace(case.load, case.seed)
    end_s = min(end_s, trace.duration_s)
    seen, cached = columns(trace), reused_tokens(trace)
    within = (seen.arrival_s >= begin_s) & (seen.arrival_s <= end_s)
    if not within.any():
        begin_s, end_s, within = 0.0, trace.duration_s, np.ones(len(within), dtype=bool)
    lasts_s = max(end_s - begin_s, 1.0)
    demand = Demand(
        rate_rps=float(within.sum()) / lasts_s,
        lengths=from_requests(
            seen.input_tokens[within], seen.output_tokens[within], cached[within]
        ),
        arrival_ca2=_dispersion(seen.arrival_s[within] - begin_s, lasts_s),
    )
    replicas = size(demand, _as_it_is(case.conditions)).replicas
    return replicas[Role.PREFILL], replicas[Role.DECODE]


def _as_it_is(conditions: Conditions) -> FleetSpec:
    """The fleet with profiles fitted to the true step times: the fleet that stands was sized by experience.

    Policies get the published profile all the same, and have to learn how far off it is.
    """
    spec, true = fleet_spec(conditions), _truth(conditions)
    powers = [2**i for i in range(_POWERS)]
    prompts = [(tokens, tokens * tokens, true.step_s([(0, tokens)], 0, 0)) for tokens in powers]
    batches = [
        (batch, batch * tokens, true.step_s((), batch, batch * tokens))
        for batch in powers[:_BATCH_POWERS]
        for tokens in powers[_LEAST_CONTEXT_POWER:]
    ]
    prefill, decode = fit_prefill(prompts).cost, fit_decode(batches).cost
    roles = {
        role: replace(row, profile=replace(row.profile, prefill=prefill, decode=decode))
        for role, row in spec.roles.items()
    }
    return replace(spec, roles=roles)


def _dispersion(arrival_s: np.ndarray, lasts_s: float) -> float:
    """Variance over mean of arrivals per whole second, at least that of Poisson."""
    counts = np.bincount(arrival_s.astype(np.int64), minlength=int(lasts_s))
    return float(np.clip(counts.var() / counts.mean(), 1.0, MOST_ARRIVAL_CA2))


def _planner(job: Job) -> Planner | None:
    if job.policy == STATIC:
        return None
    if job.policy == SCHEDULE:
        return schedule.planner(job.schedule)
    return partial(plan, learns=False)  # who does not go by times of engines need not learn them
