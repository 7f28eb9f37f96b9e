"""A planner that has read the future: it follows a schedule and looks at nothing."""

from bisect import bisect_right

from tandem.api.role import Role
from tandem.planner.model import Decision, Memory, Plan
from tandem.planner.observation import Observation
from tandem.planner.spec import FleetSpec
from tandem.simulator.league.job import Steps
from tandem.simulator.scenario import Planner

_SAYS = "as scheduled"


def planner(steps: Steps) -> Planner:
    """Asks for what the schedule holds at each look."""
    times_s = [step[0] for step in steps]

    def plan(observation: Observation, memory: Memory, spec: FleetSpec) -> Plan:
        _, prefill, decode = steps[max(bisect_right(times_s, observation.now_s) - 1, 0)]
        targets = {Role.PREFILL: prefill, Role.DECODE: decode}
        return Plan(
            roles={
                role: Decision(target=target, unclamped=target, reason=_SAYS)
                for role, target in targets.items()
            },
            memory=memory,
            predicted=lambda: None,
            reasons=(),
            runner_up=None,
            look_again_s=spec.interval_s,
        )

    return plan
