"""`blitzscale`: bands around the backlog; below them to their middle at once, above them one at a time.

    prefill  tokens that wait / (band · tokens a second of a replica)               band 0.5 to 0.7
    decode   KV in use, prefill's too / (band · KV of a replica)                    band 0.75 to 0.95
    both     tokens in prefill's KV / (band · tokens a second over decode's links)  band 0.4 to 0.8

Each gives a least and a most; the larger of two counts. Fewer than the least: to the middle. More than the
most: one fewer at each look.

Source: code, blitz-serving/blitz-scale router_v2/src/replica/cybernetics/planner.rs (OSDI'25) with the bands of
its configurations. Aggressiveness: `bands`, a factor to all of them, 1 there.
Left out: what it is known for: weights multicast between GPUs so that a replica serves in about a second, and
serves layer by layer before that. The 333 to 1500 ms before a scale-down are shorter than a look.
Fails where starts take longer than a second: a queue must be there before prefill is added, and an empty
queue takes it away at once.
"""

from dataclasses import dataclass
from math import ceil
from types import MappingProxyType

from tandem.api.role import Role
from tandem.planner.demand import LengthMix, from_cells
from tandem.planner.model import Memory
from tandem.planner.observation import Missing, Observation
from tandem.planner.policies import seen, velocity
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
from tandem.planner.spec import FleetSpec

PREFILL, DECODE, MIGRATION = (0.5, 0.7), (0.75, 0.95), (0.4, 0.8)
PARAMETERS = MappingProxyType(
    {"bands": Parameter(default=1.0, least=0.01, most=2.0, meaning="times BlitzScale's bands")}
)


@dataclass(frozen=True, slots=True)
class Band:
    """Least and most replicas."""

    least: int
    most: int

    @classmethod
    def of(cls, load: float, band: tuple[float, float]) -> "Band":
        """For a load in replicas, between the shares that the band wants in use."""
        low, high = band
        return cls(ceil(load / high), ceil(load / low))

    def __or__(self, other: "Band") -> "Band":
        """Both, the larger of two."""
        least = max(self.least, other.least)
        return Band(least, max(self.most, other.most, least))


def decide(observation: Observation, memory: Memory, spec: FleetSpec) -> Proposal:
    """Each role within its band."""
    lengths = from_cells(memory.cells)
    if lengths is None:
        return held(observation, "blitzscale: no request has finished yet")
    bands = _bands(observation, spec, lengths)
    if isinstance(bands, Missing):
        return held(observation, f"blitzscale: {bands.reason}")
    return Proposal(
        wishes={role: moved(current(observation, role), band) for role, band in bands.items()},
        reasons={
            role: f"blitzscale: {band.least} to {band.most} {role}" for role, band in bands.items()
        },
    )


def moved(now: int, band: Band) -> int:
    """Replicas after a look."""
    if band.least > now:
        return (band.least + band.most + 1) // 2
    return max(now - 1, 1) if band.most < now else now


def _bands(
    observation: Observation, spec: FleetSpec, lengths: LengthMix
) -> dict[Role, Band] | Missing:
    held_tokens = {role: seen.kv_tokens(observation, spec, role) for role in Role}
    inside, beyond = held_tokens[Role.PREFILL], held_tokens[Role.DECODE]
    if isinstance(inside, Missing):
        return inside
    if isinstance(beyond, Missing):
        return beyond
    prefill, decode = (spec.roles[role].profile for role in (Role.PREFILL, Role.DECODE))
    waiting = seen.queued_tokens(observation, spec, Role.PREFILL)
    links = velocity.link_tokens_per_s(decode) * max(1, seen.ready(observation, Role.DECODE))
    migration = inside / links
    factor = parameter(spec, PARAMETERS, "bands")
    shares = [(low * factor, high * factor) for low, high in (PREFILL, DECODE, MIGRATION)]
    kv = (inside + beyond) / decode.kv.capacity_tokens
    backlog = waiting / velocity.prefill_tokens_per_s(prefill, lengths)
    fewest = Band.of(
        migration, (shares[2][1], shares[2][1])
    )  # prefill's uses the upper bound twice
    return {
        Role.PREFILL: Band.of(backlog, shares[0]) | fewest,
        Role.DECODE: Band.of(kv, shares[1]) | Band.of(migration, shares[2]),
    }


POLICY = Policy(
    decide=decide,
    source="blitz-serving/blitz-scale, router_v2/src/replica/cybernetics/planner.rs",
    provenance=Provenance.CODE,
    reconstructed=("tokens a second: of the engine profile at the lengths seen",),
    aggressiveness=Aggressiveness(parameter="bands", sweep=(1.3, 1.0, 0.8, 0.6, 0.4, 0.2, 0.1)),
    fails_where="starts of more than a second: prefill is added once it queues, and taken once it does not",
    parameters=PARAMETERS,
)
