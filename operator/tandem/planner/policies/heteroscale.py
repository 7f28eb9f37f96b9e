"""`heteroscale`: one metric, the tokens that decode generates; prefill follows at a fixed ratio.

    decode = ceil(tokens a second / target a replica)        prefill = ceil(R · decode)

Both roles always move together. Target and ratio R come from a stress test before deployment. Decode TPS
was chosen because it is linear in the load where latencies are flat and then a cliff: those only guard,
+10 % at a moderate breach and +20 % at a severe one. Soft scale-in: replicas are taken out of service,
stay for a while, and are put back at once if the SLO suffers. Here they go on serving for that while,
which costs the same and misses no more.

Source: secondary, HeteroScale (ByteDance, arXiv 2508.19559) as a reading note and reviews tell it; its
constants are in an appendix that was not seen. Aggressiveness: `target`, a share of the throughput within
TPOT. The stress test is the engine profile at the lengths of the first requests, and stays as it is.
Fails where lengths drift (the ratio is fixed), and where decode is full: then tokens cannot tell more.
"""

from dataclasses import dataclass, replace
from math import ceil, exp
from types import MappingProxyType

from tandem.api.role import Role
from tandem.planner.demand import Demand, from_cells
from tandem.planner.model import Memory
from tandem.planner.observation import Missing, Observation
from tandem.planner.policies import state, velocity
from tandem.planner.policies.proposal import (
    Aggressiveness,
    Parameter,
    Policy,
    Proposal,
    Provenance,
    current,
    held,
    parameter,
)
from tandem.planner.readings import MOST_INTERVAL_S, MOST_TOKENS, is_plausible, known, usable
from tandem.planner.sketch import believed
from tandem.planner.spec import FleetSpec

STRESS_REQUESTS = 100.0  # whose lengths stand for the stress test's
SMOOTHING_S = 60.0  # of tokens a second
OUT, IN = 0.05, 0.15  # over the target, and under it, that change nothing
SOFT_S = 300.0  # that replicas stay before they are let go
MODERATE, SEVERE = 1.0, 1.5  # mean latency over its target: +10 %, +20 %
PARAMETERS = MappingProxyType(
    {
        "target": Parameter(
            default=0.8, least=0.05, most=1.0, meaning="share of a decode replica's tokens/s in use"
        ),
        "ratio": Parameter(
            default=None, least=0.01, most=100.0, meaning="prefill per decode; default: as profiled"
        ),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """What the stress test found: tokens a second of a decode replica, prefill per decode replica."""

    tokens_per_s: float
    ratio: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """Smoothed tokens a second, and when latency last added replicas."""

    tokens_per_s: float
    guarded_s: float = -1e9


def decide(observation: Observation, memory: Memory, spec: FleetSpec) -> Proposal:
    """Decode by its tokens, prefill by the ratio."""
    curve, signal = _curve(memory, spec), _signal(observation, memory, spec)
    if curve is None or signal is None:
        return held(observation, "heteroscale: no request has finished yet")
    wanted, reason = _wanted(observation, spec, curve, signal)
    guarded = _guarded(observation, spec, signal)
    decodes = max(wanted, guarded)
    if guarded > wanted:
        signal, reason = replace(signal, guarded_s=observation.now_s), "heteroscale: latency"
    ratio = spec.parameters.get("ratio", curve.ratio)
    return Proposal(
        wishes={Role.PREFILL: velocity.replicas(ratio * decodes), Role.DECODE: decodes},
        reasons={Role.PREFILL: f"heteroscale: {ratio:.2f} per decode", Role.DECODE: reason},
        hold_s=SOFT_S,
        facts=_facts(curve, signal, memory),
    )


def _wanted(
    observation: Observation, spec: FleetSpec, curve: Curve, signal: Signal
) -> tuple[int, str]:
    """Decode replicas for the tokens, as many as now while those are near the target."""
    now = current(observation, Role.DECODE)
    load = signal.tokens_per_s / (curve.tokens_per_s * parameter(spec, PARAMETERS, "target"))
    said = f"heteroscale: {signal.tokens_per_s:.0f} tokens/s fill {load:.2f} decode"
    if now * (1 - IN) <= load <= now * (1 + OUT):
        return now, f"{said}, nothing to change"
    return velocity.replicas(load), said


def _guarded(observation: Observation, spec: FleetSpec, signal: Signal) -> int:
    """Decode replicas that a breach of latency asks for, once in a lead time; 0 without one."""
    traffic, slo, stale_s = observation.traffic, spec.slo, spec.behavior.stale_after_s
    ttft_s = known(traffic.ttft_s, MOST_INTERVAL_S, stale_s, otherwise=0.0)
    tpot_s = known(traffic.tpot_s, MOST_INTERVAL_S, stale_s, otherwise=0.0)
    breach = max(ttft_s / slo.ttft_s, tpot_s / slo.tpot_s)
    lead_s = max(role.lead_time_s for role in spec.roles.values())
    if breach <= MODERATE or observation.now_s - signal.guarded_s < lead_s:
        return 0
    return ceil(current(observation, Role.DECODE) * (1.2 if breach > SEVERE else 1.1))


def _curve(memory: Memory, spec: FleetSpec) -> Curve | None:
    """The stress test as it was made, or as far as requests that ended tell by now."""
    kept = state.recalled(Curve, "curve", memory.facts, None)
    lengths = from_cells(memory.cells)
    if kept is not None or lengths is None:
        return kept
    unit = Demand(rate_rps=1.0, lengths=lengths)
    decode = velocity.decode_load(unit, spec)
    return Curve(
        tokens_per_s=lengths.mean_output / decode,
        ratio=velocity.prefill_load(unit, spec) / decode,
    )


def _facts(curve: Curve, signal: Signal, memory: Memory) -> dict[str, float]:
    """The signal, and the curve once enough requests stand behind it."""
    seen = memory.cells.requests
    made = seen >= STRESS_REQUESTS or "curve.ratio" in memory.facts
    return state.facts(signal=signal) | (state.facts(curve=curve) if made else {})


def _signal(observation: Observation, memory: Memory, spec: FleetSpec) -> Signal | None:
    """Tokens a second, smoothed; None before the first were seen."""
    before = state.recalled(Signal, "signal", memory.facts, None)
    interval_s = observation.traffic.interval_s
    tokens = _tokens(observation, spec)
    if isinstance(tokens, Missing) or not 0 < interval_s <= MOST_INTERVAL_S:
        return before
    if before is None:
        return Signal(tokens_per_s=tokens / interval_s)
    share = 1 - exp(-interval_s / SMOOTHING_S)
    moved = before.tokens_per_s + share * (tokens / interval_s - before.tokens_per_s)
    return replace(before, tokens_per_s=moved)


def _tokens(observation: Observation, spec: FleetSpec) -> float | Missing:
    """Tokens generated in the interval; where engines do not tell, those of requests that ended in it."""
    traffic = observation.traffic
    generated = usable(traffic.output_tokens, MOST_TOKENS, spec.behavior.stale_after_s)
    if not isinstance(generated, Missing) or isinstance(traffic.lengths, Missing):
        return generated
    if len(believed(traffic.lengths)) < len(traffic.lengths.cells):
        return Missing("lengths that can't be")
    _, _, ended = traffic.lengths.cells.tokens()
    return ended if is_plausible(ended, MOST_TOKENS) else Missing(f"{ended:g} tokens")


POLICY = Policy(
    decide=decide,
    source="HeteroScale, arXiv 2508.19559, as a reading note and reviews tell it",
    provenance=Provenance.SECONDARY,
    reconstructed=(
        "target: 80 % of the throughput within TPOT",
        "smoothing of tokens a second: 60 s",
        "thresholds: 5 % over and 15 % under the target change nothing",
        "soft scale-in: 300 s, during which replicas go on serving",
        "guard: +10 % where mean TTFT or TPOT is over its target, +20 % at 1.5 times, once a lead time",
        "stress test: the engine profile at the lengths of the first hundred requests",
    ),
    aggressiveness=Aggressiveness(parameter="target", sweep=(0.95, 0.9, 0.8, 0.7, 0.55, 0.4, 0.25)),
    fails_where="lengths that drift from those of the stress test, and decode that is full already",
    parameters=PARAMETERS,
)
