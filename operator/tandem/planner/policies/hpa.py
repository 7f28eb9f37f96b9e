"""`hpa`: Kubernetes' HorizontalPodAutoscaler on utilisation, each role for itself.

Source: code, `pkg/controller/podautoscaler/replica_calculator.go`: wish = ceil(replicas · use/target),
nothing within 10 % of the target; a lower wish must stand for 5 minutes. Prefill's use is its busy
share, decode's the larger of running/batch cap and KV in use. Aggressiveness: `target`. Fails where
latency is lost before utilisation shows it: prefill queues at 70 % of use when prompts are long, and
decode misses TPOT at any batch that its cap allows.
"""

from math import ceil
from types import MappingProxyType

from tandem.api.role import Role
from tandem.planner.model import Memory
from tandem.planner.observation import Missing, Observation
from tandem.planner.policies.proposal import (
    Aggressiveness,
    Parameter,
    Policy,
    Proposal,
    Provenance,
    current,
    parameter,
)
from tandem.planner.readings import MOST_REQUESTS, MOST_SHARE, usable
from tandem.planner.spec import FleetSpec

TOLERANCE = 0.1  # Kubernetes' --horizontal-pod-autoscaler-tolerance
DOWN_S = 300.0  # and its default stabilisation window
ROUNDING = 1e-9  # 3 replicas at exactly the target stay 3
PARAMETERS = MappingProxyType(
    {"target": Parameter(default=0.7, least=0.01, most=1.0, meaning="wanted utilisation")}
)


def decide(observation: Observation, memory: Memory, spec: FleetSpec) -> Proposal:  # noqa: ARG001
    """Each role in proportion to its utilisation."""
    answers = {role: _wish(observation, spec, role) for role in Role}
    return Proposal(
        wishes={role: wish for role, (wish, _) in answers.items()},
        reasons={role: reason for role, (_, reason) in answers.items()},
        hold_s=DOWN_S,
    )


def _wish(observation: Observation, spec: FleetSpec, role: Role) -> tuple[int, str]:
    target, replicas = parameter(spec, PARAMETERS, "target"), current(observation, role)
    use = _use(observation, spec, role)
    if isinstance(use, Missing):
        return replicas, f"hpa: held, utilisation unknown ({use.reason})"
    ready = min(observation.pods[role].ready, replicas)
    ratio = use / target
    if ratio > 1 and replicas:
        ratio = (
            use * ready / (target * replicas)
        )  # pods that are not ready count as idle on the way up
        ready = replicas
    said = f"hpa: {use:.0%} in use, {target:.0%} wanted"
    if abs(ratio - 1) <= TOLERANCE + ROUNDING or (ratio < 1 < use / target):
        return replicas, f"{said}, nothing to change"
    return ceil(ready * ratio - ROUNDING), said


def _use(observation: Observation, spec: FleetSpec, role: Role) -> float | Missing:
    """The largest of what is known of a role's utilisation."""
    traffic, stale_s = observation.traffic, spec.behavior.stale_after_s
    uses = [usable(traffic.utilisation.get(role), MOST_SHARE, stale_s)]
    if role is Role.DECODE:
        uses.append(usable(traffic.kv_usage.get(role), MOST_SHARE, stale_s))
        running = usable(traffic.running.get(role), MOST_REQUESTS, stale_s)
        if not isinstance(running, Missing):
            uses.append(running / spec.roles[role].profile.batch_cap)
    known = [use for use in uses if not isinstance(use, Missing)]
    return max(known) if known else uses[0]


POLICY = Policy(
    decide=decide,
    source="kubernetes/kubernetes, pkg/controller/podautoscaler/replica_calculator.go",
    provenance=Provenance.CODE,
    aggressiveness=Aggressiveness(parameter="target", sweep=(0.95, 0.9, 0.8, 0.7, 0.55, 0.4, 0.25)),
    fails_where="latency that is lost before utilisation shows it: long prompts, tight TPOT targets",
    parameters=PARAMETERS,
)
