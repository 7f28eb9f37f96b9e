"""What a policy settles on at a load that does not move: a one-shot sizing by a rule for a running fleet.

The rule sees a fleet of fluid requests whose pods are there as soon as they are asked for: prefill is busy
as much as its work, decode holds n = a·α/(1 − a·b) requests a replica (a: tokens a second it is given, α + b·n:
its step), and what neither can do queues. It begins with pods whose time is filled, looks for an hour and
a half, an hourly forecast among it, and is settled if nothing moved in the last half hour.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import ceil

import numpy as np

from tandem.api.role import Role
from tandem.planner.cells import Cells
from tandem.planner.demand import Demand, LengthMix
from tandem.planner.model import Memory, Plan
from tandem.planner.observation import Figure, LengthCounts, Observation, PodCounts, Traffic
from tandem.planner.plan import plan
from tandem.planner.policies import velocity
from tandem.planner.queueing import decode, prefill
from tandem.planner.region import Pair
from tandem.planner.sketch import whole
from tandem.planner.spec import OWN_PACE, FleetSpec

LOOK_S = 15.0
LOOKS, QUIET = 360, 120  # an hour and a half, and the half hour in which nothing may move


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """Where it ended, why, and the fewest and most of each role in the last half hour."""

    replicas: Pair
    reasons: tuple[str, ...]
    fewest: Pair
    most: Pair

    @property
    def stands(self) -> bool:
        """Whether nothing moved any more."""
        return dict(self.fewest) == dict(self.most)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Queues:
    """Seconds of prefill, of one pod, and requests that wait for decode."""

    prefill_s: float = 0.0
    decode: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stage:
    """Decode's steady state: requests in a replica, their step, and requests a second that find no room."""

    residents: float
    step_s: float
    excess_rps: float


def settle(demand: Demand, spec: FleetSpec) -> Settled:
    """Where the policy of a spec ends, at its own pace."""
    asked = replace(spec, behavior=OWN_PACE, interval_s=LOOK_S)
    pods, queues, memory = _start(demand, spec), _Queues(), Memory()
    seen: list[Pair] = []
    for look in range(1, LOOKS + 1):
        observation = _observation(look * LOOK_S, demand, asked, pods, queues)
        decided = plan(observation, memory, asked, learns=False)
        queues = _later(queues, demand, asked, pods)
        pods = {role: decision.target for role, decision in decided.roles.items()}
        memory = decided.memory
        seen.append(pods)
    last = seen[-QUIET:]
    return Settled(
        replicas=pods,
        reasons=_reasons(decided),
        fewest={role: min(pair[role] for pair in last) for role in Role},
        most={role: max(pair[role] for pair in last) for role in Role},
    )


def _start(demand: Demand, spec: FleetSpec) -> Pair:
    loads = {
        Role.PREFILL: velocity.prefill_load(demand, spec),
        Role.DECODE: velocity.decode_load(demand, spec),
    }
    bounds = spec.roles
    return {
        role: min(max(ceil(load), 1, bounds[role].min_replicas), bounds[role].max_replicas)
        for role, load in loads.items()
    }


def _observation(
    now_s: float, demand: Demand, spec: FleetSpec, pods: Pair, queues: _Queues
) -> Observation:
    lengths, rate_rps = demand.lengths, demand.rate_rps
    work = prefill.work(spec.roles[Role.PREFILL].profile, lengths)
    prefills = max(pods[Role.PREFILL], 1)
    busy = 1.0 if queues.prefill_s else min(1.0, rate_rps * work.mean_s / prefills)
    prefilled_rps = min(rate_rps, busy * prefills / work.mean_s)
    stage = _decode(demand, spec, pods)
    queued = queues.prefill_s / work.mean_s + queues.decode
    traffic = Traffic(
        interval_s=LOOK_S,
        arrivals=Figure(rate_rps * LOOK_S),
        dispersion=Figure(demand.arrival_ca2),
        lengths=LengthCounts(cells=_cells(lengths, rate_rps * LOOK_S)),
        prompts=LengthCounts(cells=_cells(lengths, prefilled_rps * LOOK_S)),
        finished=Figure(rate_rps * LOOK_S),
        ttft_s=Figure(work.mean_s + queued / rate_rps),
        tpot_s=Figure(stage.step_s),
        output_tokens=Figure(rate_rps * LOOK_S * lengths.mean_output),
        queued_requests=Figure(queued),
        queued_tokens=Figure(queued * lengths.mean_new),
        running={Role.PREFILL: Figure(busy), Role.DECODE: Figure(stage.residents)},
        kv_usage=_kv_usage(lengths, spec, busy, stage),
        utilisation={
            Role.PREFILL: Figure(busy),
            Role.DECODE: Figure(stage.residents / spec.roles[Role.DECODE].profile.batch_cap),
        },
    )
    counts = {role: PodCounts(desired=count, ready=count) for role, count in pods.items()}
    return Observation(now_s=now_s, pods=counts, traffic=traffic)


def _kv_usage(
    lengths: LengthMix, spec: FleetSpec, busy: float, stage: _Stage
) -> Mapping[Role, Figure]:
    inside = {
        Role.PREFILL: busy * lengths.mean_input,
        Role.DECODE: stage.residents
        * decode.work(spec.roles[Role.DECODE].profile, lengths).context_tokens,
    }
    return {
        role: Figure(min(1.0, tokens / spec.roles[role].profile.kv.capacity_tokens))
        for role, tokens in inside.items()
    }


def _decode(demand: Demand, spec: FleetSpec, pods: Pair) -> _Stage:
    """N = a·α/(1 − a·b), at most what a replica holds; the rest of the requests finds no room."""
    work = decode.work(spec.roles[Role.DECODE].profile, demand.lengths)
    replicas = max(pods[Role.DECODE], 1)
    tokens_per_s = demand.rate_rps * work.mean_steps / replicas
    free = 1 - tokens_per_s * work.resident_s
    wanted = tokens_per_s * work.fixed_s / free if free > 0 else np.inf
    residents = float(min(wanted, work.capacity))
    step_s = work.step_s(max(residents, 1.0))
    most_rps = replicas * work.capacity / work.step_s(work.capacity) / max(work.mean_steps, 1e-9)
    excess_rps = max(0.0, demand.rate_rps - most_rps) if wanted > work.capacity else 0.0
    return _Stage(residents=residents, step_s=step_s, excess_rps=excess_rps)


def _later(queues: _Queues, demand: Demand, spec: FleetSpec, pods: Pair) -> _Queues:
    """The queues a look later."""
    mean_s = prefill.work(spec.roles[Role.PREFILL].profile, demand.lengths).mean_s
    more_s = (demand.rate_rps * mean_s - pods[Role.PREFILL]) * LOOK_S
    stage = _decode(demand, spec, pods)
    more = stage.excess_rps * LOOK_S if stage.excess_rps else -queues.decode
    return _Queues(
        prefill_s=max(0.0, queues.prefill_s + more_s), decode=max(0.0, queues.decode + more)
    )


def _cells(lengths: LengthMix, requests: float) -> Cells:
    columns = (lengths.input_tokens, lengths.cached_tokens, lengths.output_tokens)
    return whole(np.column_stack([*columns, requests * lengths.weights]))


def _reasons(decided: Plan) -> tuple[str, ...]:
    """Why so many of each role, and what the limits took."""
    each = (f"{role}: {decision.reason}" for role, decision in decided.roles.items())
    return (*dict.fromkeys(each), *decided.reasons)
