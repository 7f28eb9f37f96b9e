"""`static`: a fixed pair, the baseline that every policy must beat.

Source: none needed; the best pair in hindsight is what the league compares with. Aggressiveness: the
parameters themselves. Fails whenever demand moves by more than the head-room it was given.
"""

from types import MappingProxyType

from tandem.api.role import Role
from tandem.planner.model import Memory
from tandem.planner.observation import Observation
from tandem.planner.policies.proposal import (
    Parameter,
    Policy,
    Proposal,
    Provenance,
    current,
)
from tandem.planner.spec import FleetSpec

PARAMETERS = MappingProxyType(
    {
        str(role): Parameter(
            default=None, least=0, most=10_000, meaning=f"{role} replicas; default: those there are"
        )
        for role in Role
    }
)


def decide(observation: Observation, memory: Memory, spec: FleetSpec) -> Proposal:  # noqa: ARG001
    """The pair that the parameters name; a role that they do not name stays as it is."""
    wishes = {
        role: int(spec.parameters.get(str(role), current(observation, role))) for role in Role
    }
    reasons = {role: f"static: {count} replicas" for role, count in wishes.items()}
    return Proposal(wishes=wishes, reasons=reasons)


POLICY = Policy(
    decide=decide,
    source="this project, the baseline",
    provenance=Provenance.CODE,
    aggressiveness=None,  # two numbers; the best pair in hindsight is searched for
    fails_where="demand that moves by more than the head-room that it was given",
    parameters=PARAMETERS,
    needs_traffic=False,
    instead_of_profile=("prefill", "decode"),
)
