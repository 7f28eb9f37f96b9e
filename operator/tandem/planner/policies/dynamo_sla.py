"""`dynamo-sla`: NVIDIA Dynamo's SLA planner, mean load of an interval against profiled throughput.

Every T = 180 s, with N requests of mean lengths ISL and OSL predicted for the next interval:

    prefill = ceil(N·ISL/T · min(1, TTFT/TTFT_profiled) / tokens_per_s(ISL))
    decode  = ceil(N·OSL/T / tokens_per_s(ITL_target · ITL_profiled/ITL, ISL + OSL/2))

Throughput and expected latency are those of a sweep before deployment: prefill of one prompt at a time,
decode at the highest of 100 steps of KV usage that keeps the corrected ITL. There is no queue in it: the
first correction can only lower prefill. Scaling down is immediate.

Source: code, ai-dynamo/dynamo components/planner, planner_core.py and perf_interpolation.py (07619258,
the planner with correction factors); predictors of 1.6.1. Aggressiveness: `headroom`, which Dynamo lacks: 1.
Left out: ARIMA (Dynamo's default; the last value until it has five intervals) and Prophet. The sweep is
read off the engine profile, which needs no interpolation.
Fails where a mean over minutes hides a queue: bursts, and rates that turn within an interval.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from tandem.api.role import Role
from tandem.perf.engine_profile import EngineProfile
from tandem.planner.model import Memory
from tandem.planner.observation import Observation
from tandem.planner.policies import state, velocity
from tandem.planner.policies.dynamo_interval import Interval
from tandem.planner.policies.dynamo_predictor import Track
from tandem.planner.policies.proposal import (
    Aggressiveness,
    Parameter,
    Policy,
    Proposal,
    Provenance,
    current,
    parameter,
)
from tandem.planner.spec import FleetSpec

STEPS = 99  # of KV usage in the grid of the sweep
SERIES = ("requests", "isl", "osl")
PARAMETERS = MappingProxyType(
    {
        "headroom": Parameter(
            default=1.0, least=0.1, most=10.0, meaning="times the predicted load"
        ),
        "interval_s": Parameter(
            default=180.0, least=1.0, most=3600.0, meaning="between two adjustments"
        ),
        "kalman": Parameter(
            default=0.0, least=0, most=1, meaning="1 predicts level and trend, 0 the last value"
        ),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Requests of one interval and their mean lengths in tokens."""

    requests: float
    isl: float
    osl: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """Observed over profiled latency of each role; 1 while none is known."""

    prefill: float = 1.0
    decode: float = 1.0


def decide(observation: Observation, memory: Memory, spec: FleetSpec) -> Proposal:
    """What the last adjustment said; a new one at the end of each interval in which requests ended."""
    interval = state.recalled(
        Interval, "interval", memory.facts, Interval(since_s=observation.now_s)
    ).after(observation, spec)
    if observation.now_s - interval.since_s < parameter(spec, PARAMETERS, "interval_s"):
        kept = state.facts(interval=interval) | _others(memory.facts)
        return _as_decided(observation, kept)
    anew = state.facts(interval=Interval(since_s=observation.now_s))
    if not interval.ended:
        return _as_decided(observation, anew | _others(memory.facts))
    return _adjusted(observation, memory, spec, interval, anew)


def _adjusted(
    observation: Observation,
    memory: Memory,
    spec: FleetSpec,
    interval: Interval,
    anew: Mapping[str, float],
) -> Proposal:
    last = Load(requests=interval.arrivals, isl=interval.isl, osl=interval.osl)
    tracks = {
        name: state.recalled(Track, name, memory.facts, Track()).after(getattr(last, name))
        for name in SERIES
    }
    by_kalman = parameter(spec, PARAMETERS, "kalman") > 0
    ahead = Load(**{name: each.ahead(by_kalman=by_kalman) for name, each in tracks.items()})
    length_s = observation.now_s - interval.since_s
    correction = corrections(interval, last, length_s, observation, spec)
    wishes = replicas(ahead, length_s, correction, spec)
    decided = {f"decided.{role}": float(count) for role, count in wishes.items()}
    return _as_decided(observation, {**anew, **state.facts(**tracks), **decided})


def replicas(
    load: Load, interval_s: float, correction: Correction, spec: FleetSpec
) -> Mapping[Role, int]:
    """The two lines of the docstring above."""
    prefill, decode = (spec.roles[role].profile for role in (Role.PREFILL, Role.DECODE))
    rate_rps = load.requests / interval_s * parameter(spec, PARAMETERS, "headroom")
    isl = max(load.isl, 1.0)
    prefill_tokens_per_s = isl / prefill.prefill_s(round(isl))
    within = decode_tokens_per_s(decode, isl + load.osl / 2, spec.slo.tpot_s / correction.decode)
    demanded = rate_rps * isl * min(1.0, correction.prefill)
    return {
        Role.PREFILL: velocity.replicas(demanded / prefill_tokens_per_s),
        Role.DECODE: velocity.replicas(rate_rps * load.osl / within),
    }


def decode_tokens_per_s(profile: EngineProfile, context: float, tpot_s: float) -> float:
    """Throughput at the highest step of KV usage whose ITL stays within the target."""
    for step in range(STEPS, 0, -1):
        fits = step / STEPS * profile.kv.capacity_tokens / context
        batch = max(1.0, min(fits, profile.batch_cap))
        itl_s = profile.decode.step_s(batch, batch * context)
        if itl_s <= tpot_s:
            return batch / itl_s
    return 1 / profile.decode.step_s(1.0, context)


def corrections(
    interval: Interval, load: Load, length_s: float, observation: Observation, spec: FleetSpec
) -> Correction:
    """Mean latencies of the interval over what the sweep expects at its lengths and concurrency."""
    workers = observation.pods[Role.DECODE].ready
    if not interval.timed or not workers:
        return Correction()
    ttft_s, itl_s = interval.ttft_s / interval.timed, interval.tpot_s / interval.timed
    prefill, decode = (spec.roles[role].profile for role in (Role.PREFILL, Role.DECODE))
    request_s = ttft_s + itl_s * max(load.osl - 1, 0.0)
    batch = max(1.0, load.requests / workers * request_s / length_s)
    batch = min(batch, decode.batch_cap, decode.kv.capacity_tokens / (load.isl + load.osl / 2))
    expected_s = decode.decode.step_s(batch, batch * (load.isl + load.osl / 2))
    by_itl = itl_s / expected_s
    return Correction(
        prefill=ttft_s / prefill.prefill_s(round(load.isl)), decode=by_itl if by_itl > 0 else 1.0
    )


def _others(facts: Mapping[str, float]) -> dict[str, float]:
    """What is remembered besides the running interval."""
    kept = ("decided", *SERIES)
    return {name: value for name, value in facts.items() if name.partition(".")[0] in kept}


def _as_decided(observation: Observation, facts: Mapping[str, float]) -> Proposal:
    wishes = {role: int(facts.get(f"decided.{role}", current(observation, role))) for role in Role}
    reasons = {
        role: f"dynamo-sla: {count} at the last adjustment" for role, count in wishes.items()
    }
    return Proposal(wishes=wishes, reasons=reasons, facts=facts)


POLICY = Policy(
    decide=decide,
    source="ai-dynamo/dynamo, components/planner/src/dynamo/planner/utils/planner_core.py",
    provenance=Provenance.CODE,
    aggressiveness=Aggressiveness(parameter="headroom", sweep=(0.9, 1.0, 1.15, 1.3, 1.6, 2.0, 3.0)),
    fails_where="bursts and rates that turn within an interval: means hide the queue",
    parameters=PARAMETERS,
)
