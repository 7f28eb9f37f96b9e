"""Refuse placement domains that could hold no fleet: field, value, what is allowed."""

from dataclasses import replace

from tandem.api.role import Role
from tandem.errors import InvalidInputError
from tandem.planner import packing, region
from tandem.planner.region import Region
from tandem.planner.spec import FleetSpec

FIELD = "domains"


def domains(spec: FleetSpec) -> None:
    """Raise InvalidInputError for the first thing that can't be."""
    if not spec.domains:
        return
    seen: set[str] = set()
    for each in spec.domains:
        if not each.name or each.name in seen:
            raise InvalidInputError(FIELD, each.name, "a name for each domain, each once")
        if each.accelerators < 1:
            given = f"{each.name}={each.accelerators}"
            raise InvalidInputError(FIELD, given, "1 accelerator or more in each")
        seen.add(each.name)
    for role in Role:
        if spec.roles[role].pools:
            allowed = f"left out where a role has several pools, as {role} has"
            raise InvalidInputError(FIELD, spec.domains[0].name, allowed)
    _hold(spec)


def _hold(spec: FleetSpec) -> None:
    """One domain holds a pod of each role, all of them the smallest pair that bounds and ratio allow."""
    each = {role: spec.roles[role].profile.accelerators for role in Role}
    largest = max(spec.domains, key=lambda domain: domain.accelerators)
    if largest.accelerators < sum(each.values()):
        both = " and ".join(f"a {role} replica ({count})" for role, count in each.items())
        allowed = f"at least {sum(each.values())} accelerators in one domain, room for {both}"
        raise InvalidInputError(FIELD, f"{largest.name}={largest.accelerators}", allowed)
    bounds = region.of(spec).bounds
    within = Region(bounds=bounds, ratio=spec.ratio, packing=packing.of(spec))
    if within.is_empty and not replace(within, packing=None).is_empty:
        total = sum(domain.accelerators for domain in spec.domains)
        allowed = (
            "room for the smallest pair that bounds and ratio allow, each pod whole in one domain"
        )
        raise InvalidInputError(FIELD, f"{total} accelerators", allowed)
