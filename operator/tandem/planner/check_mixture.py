"""Refuse TTFT tiers, classes and pools that contradict themselves: field, value, what is allowed."""

from collections.abc import Iterable
from math import isfinite

from tandem.api.role import Role
from tandem.errors import InvalidInputError
from tandem.planner.queueing.targets import OTHERS
from tandem.planner.spec import FleetSpec, RoleSpec, Slo

ROUNDING = 1e-9  # of shares: 0.1 ten times is all


def mixture(spec: FleetSpec) -> None:
    """Raise InvalidInputError for the first thing that can't be."""
    _tiers(spec.slo, "slo")
    _classes(spec)
    for role in Role:
        _pools(spec.roles[role], f"{role}.pools")


def slo(asked: Slo, field: str) -> None:
    """Targets are finite and above zero, the share is one."""
    for name, value in ((f"{field}.ttft", asked.ttft_s), (f"{field}.tpot", asked.tpot_s)):
        if not (isfinite(value) and value > 0):
            raise InvalidInputError(name, value, "finite and above 0 seconds")
    if not 0 < asked.attainment < 1:
        raise InvalidInputError(f"{field}.attainment", asked.attainment, "between 0 and 1")


def _tiers(asked: Slo, field: str) -> None:
    """Bounds ascend, and so do targets: a longer prompt has no less time."""
    most, target_s = 0, 0.0
    for tier in asked.tiers:
        if tier.max_input_tokens <= most:
            allowed = f"more tokens than in the tier before, {most}" if most else "1 token or more"
            raise InvalidInputError(f"{field}.tiers", tier.max_input_tokens, allowed)
        most = tier.max_input_tokens
    for value in (*(tier.ttft_s for tier in asked.tiers), asked.ttft_s):
        if not (isfinite(value) and value > 0 and value >= target_s):
            allowed = f"finite, above 0 seconds and no less than shorter prompts have, {target_s:g}"
            raise InvalidInputError(f"{field}.tiers", value, allowed)
        target_s = value


def _classes(spec: FleetSpec) -> None:
    _once((each.name for each in spec.classes), "classes")
    for each in spec.classes:
        if not each.name or each.name == OTHERS:
            allowed = f"a name; {OTHERS} are those of no class"
            raise InvalidInputError("classes", each.name, allowed)
        if each.share is not None and not 0 < each.share <= 1:
            raise InvalidInputError(f"classes.{each.name}.share", each.share, "above 0, at most 1")
        slo(each.slo, f"classes.{each.name}")
        _tiers(each.slo, f"classes.{each.name}")
    total = sum(each.share or 0.0 for each in spec.classes)
    if total > 1 + ROUNDING:
        raise InvalidInputError("classes.share", round(total, 6), "at most 1 in all")


def _pools(role: RoleSpec, field: str) -> None:
    """Names are used once, bounds are ordered, and the role's own can be met."""
    if not role.pools:
        return
    _once((pool.name for pool in role.pools), field)
    size = role.profile.kv.bytes_per_token
    for pool in role.pools:
        low, high = pool.min_replicas, pool.max_replicas
        if not 0 <= low <= high:
            allowed = f"0 to {high}, its most replicas"
            raise InvalidInputError(f"{field}.{pool.name}.replicas.min", low, allowed)
        if pool.profile.kv.bytes_per_token != size:
            given = pool.profile.kv.bytes_per_token
            allowed = f"KV of {size:g} bytes a token, as the role's other engines have"
            raise InvalidInputError(f"{field}.{pool.name}", given, allowed)
    most = sum(pool.max_replicas for pool in role.pools)
    if most < max(role.min_replicas, 1):
        allowed = f"at least {max(role.min_replicas, 1)}, the fewest replicas of the role"
        raise InvalidInputError(field, most, allowed)
    least = sum(pool.min_replicas for pool in role.pools)
    if least > role.max_replicas:
        allowed = f"at most {role.max_replicas}, the most replicas of the role"
        raise InvalidInputError(field, least, allowed)


def _once(names: Iterable[str], field: str) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise InvalidInputError(field, name, "each name once")
        seen.add(name)
