"""`elasticmm`: prefill takes a decode pod if what its requests gain is more than what decode's lose.

    gain = Σ (T(n) − T(n + 1))/input, over the next 100 rounds at 0.95 each       T(n) = requests/(n · s)
    cost = (0.1 + 0.05 · requests)/(tokens that they will put out)

with s = 0.9 for prefill, and T longer by 0.9 for each pod beyond four. Asked only while prefill has more
requests than pods. Decode takes one back when over 30 requests wait for it and fewer than 5 for prefill.

Source: code, Zedong-Liu/ElasticMM (NeurIPS'25) elasticmm/core/allocator.py, with its default parameters.
Aggressiveness: `headroom`, for pods in all.
Left out: groups by modality, to which a burst tolerance gives pods (one modality here); encode; ends of
its scale (six prefill and three decode pods), which are its testbed's.
Fails where prefill queues for a moment: gain is nearly always over cost, and decode gets no pod back before
requests wait for its KV, whatever its TPOT.
"""

from types import MappingProxyType

from tandem.api.role import Role
from tandem.planner.demand import LengthMix
from tandem.planner.model import Memory
from tandem.planner.observation import Missing, Observation
from tandem.planner.policies import pool, seen, velocity
from tandem.planner.policies.pool import TO_DECODE, TO_PREFILL
from tandem.planner.policies.proposal import Policy, Proposal, Provenance, held
from tandem.planner.spec import FleetSpec
from tandem.planner.switches import Switch

SCALES = 0.90  # scalability_prefill
MIGRATION_S, PENALTY_S = 0.1, 0.05
ROUNDS, DISCOUNT = 100, 0.95
MANY, TOLL = 4, 0.9  # pods beyond which each one more slows all
WAITING = {Role.PREFILL: 15, Role.DECODE: 30}  # scaling_thresholds
PARAMETERS = MappingProxyType({"headroom": pool.HEADROOM})


def decide(observation: Observation, memory: Memory, spec: FleetSpec) -> Proposal:
    """Pods in all by the load, one at a time to who gains."""
    found = pool.sized(memory, spec, PARAMETERS)
    if found is None:
        return held(observation, velocity.UNKNOWN)
    switch, why = _move(observation, spec, found.lengths)
    return pool.proposal(observation, found, [switch] if switch else [], f"elasticmm: {why}")


def _move(
    observation: Observation, spec: FleetSpec, lengths: LengthMix
) -> tuple[Switch | None, str]:
    queues = {role: seen.queued(observation, spec, role) for role in Role}
    running = seen.running(observation, spec, Role.PREFILL)
    requests = queues[Role.PREFILL] + (0.0 if isinstance(running, Missing) else running)
    pods = seen.ready(observation, Role.PREFILL)
    earned = gain(requests, pods, lengths.mean_input)
    paid = cost(requests, lengths.mean_output)
    why = f"{requests:.0f} requests of prefill gain {earned:.3g} for {paid:.3g}"
    if requests > pods and earned > paid:
        return TO_PREFILL, why
    if (
        queues[Role.DECODE] > WAITING[Role.DECODE]
        and queues[Role.PREFILL] < WAITING[Role.PREFILL] // 3
    ):
        return TO_DECODE, f"{queues[Role.DECODE]:.0f} wait for decode"
    return None, why


def gain(requests: float, pods: int, input_tokens: float) -> float:
    """What one pod more saves the requests of prefill, in seconds a token, over the rounds to come."""
    if not pods:
        return 0.0
    saved = _seconds(requests, pods) - _seconds(requests, pods + 1)
    rounds = (1 - DISCOUNT**ROUNDS) / (1 - DISCOUNT)
    return max(0.0, saved) * requests / max(input_tokens, 1.0) * rounds


def cost(requests: float, output_tokens: float) -> float:
    """What it costs those that the pod decodes, in seconds a token."""
    return (MIGRATION_S + PENALTY_S * requests) / max(requests * output_tokens, 1.0)


def _seconds(requests: float, pods: int) -> float:
    """The code's unit-less time of so many requests on so many pods."""
    return requests / (pods * SCALES) / TOLL ** max(0, pods - MANY)


POLICY = Policy(
    decide=decide,
    source="Zedong-Liu/ElasticMM, elasticmm/core/allocator.py",
    provenance=Provenance.CODE,
    reconstructed=("requests of prefill: those that run and that wait for it", *pool.OURS),
    aggressiveness=pool.SWEEP,
    fails_where="short queues of prefill, for which decode loses pods that it gets back too late",
    parameters=PARAMETERS,
)
