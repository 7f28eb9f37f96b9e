"""Refuse a fleet that no plan could satisfy, before it runs: field, value, what is allowed."""

from collections.abc import Mapping
from dataclasses import replace
from math import inf, isfinite
from types import MappingProxyType

import numpy as np

from tandem.api.role import Role
from tandem.errors import InvalidInputError
from tandem.planner import check_domains, check_mixture, pools, region, switches
from tandem.planner.demand import Demand
from tandem.planner.policies.table import named
from tandem.planner.queueing.tandem import Tandem
from tandem.planner.region import Region
from tandem.planner.sizing import idle_limit
from tandem.planner.spec import FleetSpec, RatioBounds
from tandem.planner.words import seconds, share

Names = Mapping[str, str]
CANONICAL: Names = MappingProxyType({})


def check(spec: FleetSpec, names: Names = CANONICAL) -> None:
    """Raise InvalidInputError for the first thing in a spec that can't be.

    `names` tells under which name the user knows a field: a flag, a path in a resource.
    """
    try:
        named(spec.policy).check(spec.parameters)
        _numbers(spec)
        check_mixture.mixture(spec)
        for role in Role:
            _bounds(spec, role)
        _ratio(spec)
        check_domains.domains(spec)
        _budget(spec)
        _switching(spec)
    except InvalidInputError as error:
        raise _renamed(error, names) from None


def check_slo(demand: Demand, spec: FleetSpec, names: Names = CANONICAL) -> None:
    """Raise InvalidInputError when idle engines could not meet the SLO for this demand."""
    try:
        _slo(demand, spec)
    except InvalidInputError as error:
        raise _renamed(error, names) from None


def _renamed(error: InvalidInputError, names: Names) -> InvalidInputError:
    return InvalidInputError(names.get(error.field, error.field), error.value, error.allowed)


def _slo(demand: Demand, spec: FleetSpec) -> None:
    tandem = Tandem(demand, spec)
    limit = idle_limit(tandem)
    if limit is None:
        return
    asked = limit.asked
    field = f"classes.{limit.name}" if spec.classes else "slo"
    of = f"for {share(asked.attainment)} of these requests"
    if limit.ttft_s > asked.ttft_s:
        name = spec.roles[Role.PREFILL].profile.name
        allowed = f"at least {seconds(limit.ttft_s)}, what one idle engine of {name} needs {of}"
        raise InvalidInputError(f"{field}.ttft", _typed(asked.ttft_s), allowed)
    if limit.tpot_s > asked.tpot_s:
        name = spec.roles[Role.DECODE].profile.name
        allowed = f"at least {seconds(limit.tpot_s)}, what one idle engine of {name} needs {of}"
        raise InvalidInputError(f"{field}.tpot", _typed(asked.tpot_s), allowed)
    reached = f"at most {share(limit.attainment)}, what idle engines reach with these targets"
    raise InvalidInputError(f"{field}.attainment", asked.attainment, reached)


def _numbers(spec: FleetSpec) -> None:
    """Targets and times are finite and above zero."""
    check_mixture.slo(spec.slo, "slo")
    positive = {
        "interval": spec.interval_s,
        **{f"{role}.leadTime": spec.roles[role].lead_time_s + 1e-9 for role in Role},
    }
    for field, value in positive.items():
        if not (isfinite(value) and value > 0):
            raise InvalidInputError(field, value, "finite and above 0 seconds")


def _bounds(spec: FleetSpec, role: Role) -> None:
    low, high = spec.roles[role].min_replicas, spec.roles[role].max_replicas
    if low < 0:
        raise InvalidInputError(f"{role}.replicas.min", low, "0 or more")
    if low > high:
        raise InvalidInputError(f"{role}.replicas.min", low, f"at most replicas.max ({high})")


def _switching(spec: FleetSpec) -> None:
    """Where pods may take on the other role, they can."""
    if spec.switch_s is None:
        return
    if not (isfinite(spec.switch_s) and spec.switch_s >= 0):
        raise InvalidInputError("switchTime", spec.switch_s, "finite and 0 seconds or more")
    if refused := switches.refusal(spec):
        raise InvalidInputError("switchTime", spec.switch_s, f"left out, for {refused}")


def _ratio(spec: FleetSpec) -> None:
    """Some pair within the bounds of both roles has a ratio that is allowed."""
    for field, pair in (("ratio.min", spec.ratio.lowest), ("ratio.max", spec.ratio.highest)):
        if pair is not None and (min(pair) < 0 or max(pair) < 1):
            raise InvalidInputError(field, _ratio_text(pair), "two whole numbers, not both 0")
    bounds = region.of(spec).bounds
    if Region(bounds=bounds, ratio=spec.ratio).is_empty:
        lowest = RatioBounds(lowest=spec.ratio.lowest)
        field = "ratio.min" if Region(bounds=bounds, ratio=lowest).is_empty else "ratio.max"
        pair = spec.ratio.lowest if field == "ratio.min" else spec.ratio.highest
        (least_p, most_p), (least_d, most_d) = bounds[Role.PREFILL], bounds[Role.DECODE]
        within = f"{least_p} to {most_p} prefill and {least_d} to {most_d} decode replicas"
        allowed = f"a ratio that some pair of {within} has, together with the other bound"
        raise InvalidInputError(field, _ratio_text(pair), allowed)


def _budget(spec: FleetSpec) -> None:
    """The cheapest pair within bounds and ratio can be paid."""
    for field, total, purse, of in (
        ("budget.accelerators", spec.budget.accelerators, 0, lambda each: each.accelerators),
        ("budget.costPerHour", spec.budget.cost_per_hour, 1, lambda each: each.cost_per_hour),
    ):
        if total is None:
            continue
        roles = {role: pools.cheapest_first(each, of) for role, each in spec.roles.items()}
        cheapest = replace(spec, roles=roles)
        bounds, price = region.of(cheapest).bounds, region.prices(cheapest)[purse]
        least = _least_cost(Region(bounds=bounds, ratio=spec.ratio), price)
        if not isfinite(total) or total < least - region.ROUNDING:
            allowed = f"at least {least:g}, the smallest pair that bounds and ratio allow"
            raise InvalidInputError(field, total, allowed)
    if region.of(spec).is_empty and not any(each.pools for each in spec.roles.values()):
        raise InvalidInputError(
            "budget", spec.budget.accelerators, "enough for a pair within both budgets"
        )


def _least_cost(allowed: Region, price: region.Price) -> float:
    prefills = allowed.prefills()
    fewest, most = allowed.decodes(prefills)
    allowed_ones = fewest <= most
    if not allowed_ones.any():
        return inf
    prefills, fewest = prefills[allowed_ones], fewest[allowed_ones]
    paid = region.together(price[Role.PREFILL], prefills) + region.together(
        price[Role.DECODE], fewest
    )
    return float(np.min(paid))


def _ratio_text(pair: tuple[int, int] | None) -> str:
    return "" if pair is None else f"{pair[0]}:{pair[1]}"


def _typed(duration_s: float) -> str:
    """A duration as a user types it: 500ms."""
    return seconds(duration_s).replace(" ", "")
