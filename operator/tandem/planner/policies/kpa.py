"""`kpa`: Knative's autoscaler on concurrency, with a stable and a panic window.

    wish = ceil(mean requests in flight / (target · what a replica holds))

over 60 s, or over 6 s while it panics: that begins when the short window asks for twice the ready pods, and
ends when it has not for 60 s; until then nothing is taken away. At most 1000 times more and half as many at a time.

Source: code, knative/serving pkg/autoscaler/scaling/autoscaler.go (00a4a55c), defaults of config-autoscaler.
Aggressiveness: `target`, 0.7 there. A role's requests in flight: those in its pods, and the gateway's queue
where it waits for that role. A prefill replica holds one prompt at a time, one of decode its cap or its KV.
Fails where requests differ: one long prompt counts as much as a short one; and on cold starts longer than
its windows.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import ceil, floor
from types import MappingProxyType

from tandem.api.role import Role
from tandem.planner.demand import LengthMix, from_cells
from tandem.planner.model import Memory
from tandem.planner.observation import Missing, Observation
from tandem.planner.policies import seen, state, velocity
from tandem.planner.policies.proposal import (
    Aggressiveness,
    Parameter,
    Policy,
    Proposal,
    Provenance,
    held,
    parameter,
)
from tandem.planner.queueing import decode
from tandem.planner.readings import MOST_REQUESTS, usable
from tandem.planner.spec import FleetSpec

STABLE_S, PANIC_S = 60.0, 6.0  # stable-window, and panic-window-percentage 10 of it
PANIC_AT = 2.0  # panic-threshold-percentage 200, of the ready pods
NEVER_S = -1.0
PARAMETERS = MappingProxyType(
    {
        "target": Parameter(
            default=0.7, least=0.01, most=1.0, meaning="share of what a replica holds"
        )
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """Most times more, and most times fewer, at a look."""

    up: float = 1000.0
    down: float = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Panic:
    """Since when the short window has not asked for so much, and the most pods asked for since it did."""

    at_s: float = NEVER_S
    pods: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One role at one time: ready pods, and pods that both windows ask for, unrounded."""

    now_s: float
    ready: int
    stable: float
    panic: float


def decide(observation: Observation, memory: Memory, spec: FleetSpec) -> Proposal:
    """Each role by its concurrency."""
    lengths = from_cells(memory.cells)
    if lengths is None:
        return held(observation, "kpa: no request has finished yet")
    wishes, reasons = {}, {}
    facts: dict[str, float] = {}
    for role in Role:
        samples = _samples(observation, memory.facts, spec, role)
        if not samples:
            return held(observation, f"kpa: {role} has no concurrency that can be believed")
        pod = parameter(spec, PARAMETERS, "target") * _holds(lengths, spec, role)
        look = _look(observation, samples, pod, role)
        ready = look.ready
        started = Panic(at_s=look.now_s, pods=ready) if ready > 1 else Panic()
        before = state.recalled(Panic, f"panic-{role}", memory.facts, started)
        wishes[role], panic = scaled(look, before)
        reasons[role] = f"kpa: {look.stable:.2f} {role} over 60 s, {look.panic:.2f} over 6 s"
        facts |= state.facts(**{f"panic-{role}": panic})
        facts |= {f"seen-{role}.{time_s}": value for time_s, value in samples.items()}
    return Proposal(wishes=wishes, reasons=reasons, facts=facts)


def scaled(look: Look, panic: Panic, rates: Rates = Rates()) -> tuple[int, Panic]:
    """Pods to ask for, and the panic from now on."""
    ready = max(1, look.ready)
    least, most = floor(ready / rates.down), ceil(rates.up * ready)
    stable = min(max(velocity.replicas(look.stable), least), most)
    short = min(max(velocity.replicas(look.panic), least), most)
    if velocity.replicas(look.panic) / ready >= PANIC_AT:
        panic = replace(panic, at_s=look.now_s)
    elif panic.at_s + STABLE_S < look.now_s:
        panic = Panic()
    if panic.at_s == NEVER_S:
        return stable, panic
    panic = replace(panic, pods=max(panic.pods, stable, short))
    return int(panic.pods), panic


def _look(observation: Observation, samples: Mapping[float, float], pod: float, role: Role) -> Look:
    now_s = observation.now_s
    short = [value for time_s, value in samples.items() if time_s > now_s - PANIC_S]
    every = list(samples.values())
    return Look(
        now_s=now_s,
        ready=observation.pods[role].ready,
        stable=sum(every) / len(every) / pod,
        panic=sum(short or every) / len(short or every) / pod,
    )


def _samples(
    observation: Observation, facts: Mapping[str, float], spec: FleetSpec, role: Role
) -> Mapping[float, float]:
    """Requests in flight by time, of the stable window and now; none where they are unknown."""
    now_s, name = observation.now_s, f"seen-{role}."
    kept = {float(key.removeprefix(name)): v for key, v in facts.items() if key.startswith(name)}
    samples = {t: value for t, value in kept.items() if now_s - STABLE_S < t < now_s}
    running = usable(
        observation.traffic.running.get(role), MOST_REQUESTS, spec.behavior.stale_after_s
    )
    if isinstance(running, Missing):
        return samples
    in_flight = running * observation.pods[role].ready
    return {**samples, now_s: in_flight + seen.queued(observation, spec, role)}


def _holds(lengths: LengthMix, spec: FleetSpec, role: Role) -> float:
    """Requests that a replica works on at once at most: one prompt, or a batch of decode."""
    if role is Role.PREFILL:
        return 1.0
    return decode.work(spec.roles[role].profile, lengths).capacity


POLICY = Policy(
    decide=decide,
    source="knative/serving, pkg/autoscaler/scaling/autoscaler.go",
    provenance=Provenance.CODE,
    reconstructed=("what a replica holds: one prompt; decode's batch cap or KV",),
    aggressiveness=Aggressiveness(parameter="target", sweep=(1.0, 0.85, 0.7, 0.5, 0.35, 0.2, 0.1)),
    fails_where="requests of unlike size, and cold starts longer than a minute",
    parameters=PARAMETERS,
)
