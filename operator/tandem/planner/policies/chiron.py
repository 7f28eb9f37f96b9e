"""`chiron`: back-pressure: one more instance while over Θ of those there are is busy with interactive work.

    IBP = capacity in use / replicas        over Θ: one more     under it without one: one fewer

one at a time, and none while one starts.

Source: secondary, Chiron: its abstract and SageServe's port (arbiter.py, ChironArbiter; Θ = 0.6 is the
port's). Aggressiveness: `theta`.
There an instance counts as busy with one request, for its router packs them; here requests are spread, so that
what counts is capacity in use: prefill's time, decode's batch within TPOT. The port takes an instance away
whenever IBP is under Θ, and would swing by one for ever: here the others must bear it.
Left out: batch requests and their deadline, mixed instances, and the local loop that tunes batch sizes.
Fails where load grows by more than one replica in a cold start.
"""

from types import MappingProxyType

from tandem.api.role import Role
from tandem.planner.demand import from_cells
from tandem.planner.model import Memory
from tandem.planner.observation import Missing, Observation
from tandem.planner.policies import seen
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

PARAMETERS = MappingProxyType(
    {"theta": Parameter(default=0.6, least=0.01, most=1.0, meaning="share of replicas busy")}
)


def decide(observation: Observation, memory: Memory, spec: FleetSpec) -> Proposal:
    """Each role by its own back-pressure."""
    lengths = from_cells(memory.cells)
    if lengths is None:
        return held(observation, "chiron: no request has finished yet")
    theta = parameter(spec, PARAMETERS, "theta")
    wishes, reasons = {}, {}
    for role in Role:
        use, pods = seen.use(observation, spec, lengths, role), observation.pods[role]
        now = current(observation, role)
        if isinstance(use, Missing):
            wishes[role], reasons[role] = now, f"chiron: held, {use.reason}"
        elif pods.ready < pods.desired:
            wishes[role], reasons[role] = now, f"chiron: {pods.ready} of {now} {role} are ready"
        else:
            wishes[role] = stepped(now, use, theta)
            reasons[role] = f"chiron: {use:.0%} busy, {theta:.0%} is the limit"
    return Proposal(wishes=wishes, reasons=reasons)


def stepped(replicas: int, pressure: float, theta: float) -> int:
    """One more, one fewer, or as many."""
    if pressure > theta:
        return replicas + 1
    bears = replicas > 1 and pressure * replicas / (replicas - 1) <= theta
    return replicas - 1 if bears else replicas


POLICY = Policy(
    decide=decide,
    source="Chiron, as SageServe's arbiter.py ports it",
    provenance=Provenance.SECONDARY,
    reconstructed=(
        "Θ: 0.6, the port's",
        "busy: capacity in use instead of instances with a request",
        "one fewer only where the others stay under Θ",
    ),
    aggressiveness=Aggressiveness(parameter="theta", sweep=(0.95, 0.85, 0.75, 0.6, 0.45, 0.3, 0.2)),
    fails_where="loads that grow by more than one replica in a cold start",
    parameters=PARAMETERS,
)
