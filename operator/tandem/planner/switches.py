"""Levers other than replicas: pods that change their role, and pods that stand by warm.

A switch comes before the limits: they look at the fleet as it is afterwards, so that no window or step
holds back what starts and stops nothing. It is dropped, with its wish, where no pod of the role is ready
or where bounds or ratio would not hold.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from tandem.api.role import Role
from tandem.planner import region
from tandem.planner.observation import Observation, PodCounts
from tandem.planner.region import Pair, Region
from tandem.planner.spec import FleetSpec

Switch = tuple[Role, Role]  # from, to
ALIKE = {
    "accelerator": "accelerators",
    "accelerators": "accelerators a replica",
    "name": "profiles",
}


def refusal(spec: FleetSpec) -> str:
    """Why no pod of this fleet takes on another role; empty where pods do."""
    if spec.switch_s is None:
        return "pods of this fleet keep their roles"
    prefill, decode = (spec.roles[role] for role in Role)
    if prefill.pools or decode.pools:
        return "a role has several pools"
    if len(spec.domains) > 1:
        return "pods lie in several domains, and which of them would switch is not planned"
    for name in ("accelerator", "accelerators", "name"):
        one, other = getattr(prefill.profile, name), getattr(decode.profile, name)
        if one != other:
            return f"{ALIKE[name]} of the roles differ: {one} and {other}"
    return ""


def possible(
    wished: Sequence[Switch], observation: Observation, spec: FleetSpec
) -> tuple[Switch, ...]:
    """Those of the wished switches, in their order, that ready pods can do and the spec allows."""
    whole = region.of(spec)
    allowed = Region(bounds=whole.bounds, ratio=whole.ratio)
    kept: list[Switch] = []
    for switch in wished:
        now = after(observation, kept)
        then = after(observation, [*kept, switch])
        desired = {role: then.pods.get(role, PodCounts()).desired for role in Role}
        source = now.pods.get(switch[0], PodCounts())
        if switch[0] is not switch[1] and source.ready > 0 and allowed.allows(desired):
            kept.append(switch)
    return tuple(kept)


def after(observation: Observation, made: Sequence[Switch]) -> Observation:
    """The observation with pods counted as they are once told to switch: on their way to the new role."""
    pods = dict(observation.pods)
    for source, target in made:
        left, joined = pods.get(source, PodCounts()), pods.get(target, PodCounts())
        pods[source] = replace(left, desired=left.desired - 1, ready=left.ready - 1)
        pods[target] = replace(joined, desired=joined.desired + 1, starting=joined.starting + 1)
    return replace(observation, pods=pods)


def without(wishes: Pair, dropped: Sequence[Switch]) -> Pair:
    """The wishes of a policy less the switches that can't be: those pods stay what they are."""
    stayed = dict(wishes)
    for source, target in dropped:
        stayed[source] += 1
        stayed[target] -= 1
    return stayed


def warm(wished: Mapping[Role, int], targets: Pair, spec: FleetSpec) -> Mapping[Role, int]:
    """Pods that may stand by beside the targets: within each role's bounds and the budget."""
    whole = region.of(spec)
    allowed = Region(bounds=whole.bounds, purses=whole.purses)
    kept: dict[Role, int] = {}
    for role, count in wished.items():
        total = {each: targets[each] + kept.get(each, 0) for each in Role}
        fits = [
            more
            for more in range(count, 0, -1)
            if allowed.allows({**total, role: total[role] + more})
        ]
        if fits:
            kept[role] = fits[0]
    return kept
