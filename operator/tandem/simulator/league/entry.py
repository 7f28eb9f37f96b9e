"""Who competes: a policy under a queue order, and the runs of each value of its one parameter."""

from collections.abc import Sequence
from dataclasses import dataclass

from tandem.api.policy_names import QUEUE_ORDERS
from tandem.planner.policies.table import named
from tandem.simulator.league.job import Case, Job

OWN, OURS = "own", "tandem"
ROUTINGS = (OWN, OURS)


@dataclass(frozen=True, slots=True)
class Entry:
    """A policy with a queue order: `routing` says whose it is, the policy's own or ours."""

    policy: str
    routing: str
    order: str

    @property
    def parameter(self) -> str:
        """Name of the aggressiveness parameter, "" where there is none."""
        aggressiveness = named(self.policy).aggressiveness
        return aggressiveness.parameter if aggressiveness else ""

    @property
    def default(self) -> float | None:
        """Its value if nobody sets it; None where the policy has none or computes it."""
        return named(self.policy).parameters[self.parameter].default if self.parameter else None

    @property
    def bounds(self) -> tuple[float, float]:
        """The least and the most that make sense of it."""
        parameter = named(self.policy).parameters[self.parameter]
        return parameter.least, parameter.most

    def values(self, points: int) -> tuple[float, ...]:
        """So many of the values that the policy names for a sweep, the outermost among them; with one the default alone."""
        aggressiveness = named(self.policy).aggressiveness
        if aggressiveness is None or points <= 1:
            return ()
        sweep = aggressiveness.sweep
        if points >= len(sweep):
            return sweep
        return tuple(sweep[round(i * (len(sweep) - 1) / (points - 1))] for i in range(points))

    def job(self, case: Case, value: float | None) -> Job:
        """One run; None and the default's own value are the same one."""
        given = () if value is None or value == self.default else ((self.parameter, value),)
        return Job(case=case, policy=self.policy, order=self.order, parameters=given)

    def value(self, job: Job) -> float | None:
        """The value that a run had."""
        return dict(job.parameters).get(self.parameter, self.default)


def entries(policies: Sequence[str], routings: Sequence[str]) -> list[Entry]:
    """Every policy with each order asked for, once where its own order is ours."""
    kept: dict[tuple[str, str], Entry] = {}
    for policy in policies:
        for routing in routings:
            order = named(policy).own_order if routing == OWN else QUEUE_ORDERS[0]
            kept.setdefault((policy, order), Entry(policy, routing, order))
    return list(kept.values())
