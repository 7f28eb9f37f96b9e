"""Search: the best engines and ratio for a model and a number of accelerators.

Every pair of engines of one accelerator, one for each role, is sized: for the highest rate that so many
accelerators serve within the SLO (bisection, by the queueing model), or for the fewest that serve a given
rate. A pair that could not be best even if all of its replicas were busy all of their time is passed over.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, product

from tandem.api.role import Role
from tandem.perf.engine_profile import EngineProfile
from tandem.planner.demand import Demand
from tandem.planner.policies import velocity
from tandem.planner.sizing import LARGEST, Sizing, size
from tandem.planner.spec import Budget, FleetSpec, RoleSpec, Slo

PRECISE = 0.01  # of the rate; the model itself is not better
SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """Engines of both roles, their replicas at a rate, and what these take."""

    spec: FleetSpec
    rate_rps: float
    sizing: Sizing

    @property
    def accelerators(self) -> int:
        """All replicas together."""
        return sum(
            self.spec.roles[role].profile.accelerators * count
            for role, count in self.sizing.replicas.items()
        )


def by_rate(
    engines: Iterable[EngineProfile], demand: Demand, slo: Slo, accelerators: int
) -> list[Option]:
    """The options that serve most, best first; the demand's own rate does not matter."""
    found: list[Option] = []
    bounded = [(_most_rps(demand, spec), spec) for spec in _pairs(engines, slo, accelerators)]
    for most_rps, spec in sorted(bounded, key=lambda each: -each[0]):
        kept = sorted((option.rate_rps for option in found), reverse=True)[:SHOWN]
        if len(kept) == SHOWN and most_rps <= kept[-1]:
            break
        option = _highest(demand, spec, most_rps)
        if option is not None:
            found.append(option)
    return sorted(found, key=lambda each: (-round(each.rate_rps, 6), each.accelerators))[:SHOWN]


def by_accelerators(
    engines: Iterable[EngineProfile], demand: Demand, slo: Slo, accelerators: int
) -> list[Option]:
    """The options that serve a demand with fewest accelerators, best first."""
    found = [
        option
        for spec in _pairs(engines, slo, accelerators)
        if _most_rps(demand, spec) >= demand.rate_rps and (option := _at(demand, spec)) is not None
    ]
    best = sorted(found, key=lambda each: (each.accelerators, -each.sizing.prediction.attainment))
    return best[:SHOWN]


def _pairs(engines: Iterable[EngineProfile], slo: Slo, accelerators: int) -> Iterable[FleetSpec]:
    """A fleet for every two engines of one accelerator that fit into the budget at all."""
    ordered = sorted(engines, key=lambda each: (each.accelerator, each.accelerators, each.name))
    for _, group in groupby(ordered, key=lambda each: each.accelerator):
        some: Sequence[EngineProfile] = tuple(group)
        for prefill, decode in product(some, some):
            if prefill.accelerators + decode.accelerators <= accelerators:
                roles = {
                    role: RoleSpec(profile=profile, max_replicas=LARGEST)
                    for role, profile in ((Role.PREFILL, prefill), (Role.DECODE, decode))
                }
                yield FleetSpec(slo=slo, roles=roles, budget=Budget(accelerators=accelerators))


def _most_rps(demand: Demand, spec: FleetSpec) -> float:
    """The rate at which the whole budget would be busy all of its time."""
    one = replace(demand, rate_rps=1.0)
    prefill, decode = (spec.roles[role].profile for role in (Role.PREFILL, Role.DECODE))
    each = prefill.accelerators * velocity.prefill_load(one, spec)
    each += decode.accelerators * velocity.decode_load(one, spec)
    return float(spec.budget.accelerators or 0) / each


def _highest(demand: Demand, spec: FleetSpec, most_rps: float) -> Option | None:
    """The highest rate that a budget serves within the SLO, to a hundredth."""
    low: Option | None = None
    low_rps, high_rps = 0.0, most_rps
    while high_rps - low_rps > PRECISE * most_rps:
        middle_rps = (low_rps + high_rps) / 2
        option = _at(replace(demand, rate_rps=middle_rps), spec)
        if option is None:
            high_rps = middle_rps
        else:
            low, low_rps = option, middle_rps
    return low


def _at(demand: Demand, spec: FleetSpec) -> Option | None:
    """The cheapest pair within the budget that serves a demand; None where none does."""
    sizing = size(demand, spec)
    if not sizing.feasible:
        return None
    return Option(spec=spec, rate_rps=demand.rate_rps, sizing=sizing)
