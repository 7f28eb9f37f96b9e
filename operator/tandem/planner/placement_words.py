"""What placement says to a person: what lies where, and what domains cost or which is too small for what."""

from collections.abc import Sequence
from itertools import groupby

from tandem.api.role import Role
from tandem.planner import placed, prediction, region, words
from tandem.planner.placed import Place, Placement
from tandem.planner.queueing.tandem import Tandem
from tandem.planner.region import Pair
from tandem.planner.spec import Domain, FleetSpec
from tandem.planner.staircase import Found
from tandem.planner.words import share

NAMED = 4  # domains; of more only how many they are


def sizing(tandem: Tandem, spec: FleetSpec, replicas: Pair, where: Placement) -> tuple[str, ...]:
    """Arrivals, load of each domain, answer; domains that hold the same share a line."""
    attained = placed.attainment(where.places)
    return (
        words.arrivals(tandem),
        *map(_line, alike(where.places)),
        words.answer(spec, replicas, attained),
    )


def reason(found: Found, free: Found, most: float) -> str:
    """What it costs that pods lie in domains, or which of them is too small for what.

    `free` is the answer without domains, `most` the share of the arrivals that they serve within the SLO.
    """
    spec = found.goal.spec
    accelerators, _ = region.prices(spec)
    need = region.cost(free.replicas, accelerators)
    if found.pairs:
        is_dearer = region.cost(found.replicas, accelerators) > need
        return f"in one domain {pods(free.replicas)} would do" if is_dearer else ""
    if short := _holds_no_pair(spec):
        return short
    if not found.is_allowed:
        return "no pair within bounds, ratio and budget fits into the domains"
    if not free.pairs:
        return ""  # one domain would not do either: something else forbids it
    held = sum(max(domain.accelerators, 0) for domain in spec.domains)
    hold = (
        f"{names(spec.domains)} {'holds' if len(spec.domains) == 1 else 'hold'} {held} accelerators"
    )
    if need > held:
        return f"{hold}; even in one domain {need:g} are needed"
    return (
        f"{hold}, but each alone: they serve {share(most)} of the arrivals within the SLO at best,"
        f" where {need:g} in one domain would do"
    )


def _holds_no_pair(spec: FleetSpec) -> str:
    """Why no domain serves anybody; empty where one holds a pod of each role."""
    each = {role: spec.roles[role].profile.accelerators for role in Role}
    largest = max(spec.domains, key=lambda domain: domain.accelerators)
    if largest.accelerators >= sum(each.values()):
        return ""
    both = " and ".join(f"a {role} pod of {count}" for role, count in each.items())
    held = f"{largest.name}, the largest, holds {largest.accelerators} accelerators"
    return f"no domain holds {both} together: {held}"


def alike(places: Sequence[Place]) -> list[list[Place]]:
    """Domains, those that hold the same together."""
    same = groupby(places, key=lambda each: (each.domain.accelerators, each.counts, each.share))
    return [[*group] for _, group in same]


def pods(pair: Pair) -> str:
    """As a person says it."""
    return " and ".join(f"{pair[role]} {role}" for role in Role)


def _line(places: Sequence[Place]) -> str:
    """What a domain holds and does, or several that hold the same."""
    first, those = places[0], names([each.domain for each in places])
    held = pods(first.replicas) if any(first.counts) else "nothing"
    several = " each" if len(places) > 1 else ""
    if not first.share:
        idle = ", which serve nobody" if any(first.counts) else ""
        return f"{those}: {held}{several}{idle}"
    use = prediction.utilisation(first.tandem, *first.counts)
    busy = f"prefill {share(use['prefill'])} busy, KV link {share(use['link'])}"
    decode = f"decode {share(use['decode'])} of what TPOT allows, KV {share(use['kv'])} full"
    met = share(first.tandem.attainment(*first.counts))
    return (
        f"{those}: {held}{several} for {share(first.share)} of the arrivals,"
        f" {busy}, {decode}: {met} in time"
    )


def names(domains: Sequence[Domain]) -> str:
    """Their names, of many only how many they are and the ends."""
    if len(domains) > NAMED:
        return f"{len(domains)} domains, {domains[0].name} to {domains[-1].name},"
    each = [domain.name for domain in domains]
    return " and ".join(filter(None, (", ".join(each[:-1]), each[-1])))
