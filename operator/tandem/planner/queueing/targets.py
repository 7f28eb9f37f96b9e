"""Targets: who is to be served how soon, as weights of length points with a TTFT and a TPOT each.

Classes differ in their SLO, prompts in their TTFT tier. A tier costs a queue nothing: a prompt with less
time than the one with most has, as it were, used up the difference already when it comes.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tandem.planner.demand import Demand, Floats, LengthMix
from tandem.planner.spec import FleetSpec, RequestClass, Slo

OTHERS = "others"  # requests of no class, where there are classes
LEAST_SHARE = 1e-9  # of arrivals: fewer are no class, but a rounding


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Target:
    """Requests that share an SLO.

    Attributes:
        name: of the class; `others` for those of none.
        slo: theirs.
        share: of all arrivals.
        weights: of the length points among these requests, shape (points,); what lacks from 1 is refused.
        ttft_s: the target of each length point, or of all.

    """

    name: str
    slo: Slo
    share: float
    weights: Floats
    ttft_s: "float | Floats"


def of(
    demand: Demand, spec: FleetSpec, kept: NDArray[np.bool_], served: LengthMix
) -> tuple[Target, ...]:
    """The targets of a demand's requests, of whose points `kept` are served at all: those of `served`."""
    nobody = np.zeros_like(served.weights)
    if not spec.classes and served is demand.lengths:
        return (_target(OTHERS, spec.slo, 1.0, served.weights if kept[0] else nobody, served),)
    weighted = ((name, slo, weights) for name, slo, weights in _weighted(demand, spec))
    return tuple(
        _target(name, slo, share, (weights[kept] if kept.any() else nobody) / share, served)
        for name, slo, weights in weighted
        if (share := float(weights.sum())) > LEAST_SHARE
    )


def _target(name: str, slo: Slo, share: float, weights: Floats, served: LengthMix) -> Target:
    ttft_s = tiered(slo, served.input_tokens)
    return Target(name=name, slo=slo, share=share, weights=weights, ttft_s=ttft_s)


def tiered(slo: Slo, input_tokens: Floats) -> "float | Floats":
    """The TTFT target of each prompt; one number where there are no tiers."""
    if not slo.tiers:
        return slo.ttft_s
    most = np.array([tier.max_input_tokens for tier in slo.tiers])
    targets_s = np.array([*(tier.ttft_s for tier in slo.tiers), slo.ttft_s])
    return targets_s[np.searchsorted(most, input_tokens)]


def span_s(targets: tuple[Target, ...]) -> tuple[float, float]:
    """The shortest and the longest TTFT target of all."""
    if len(targets) == 1 and not targets[0].slo.tiers:
        return targets[0].slo.ttft_s, targets[0].slo.ttft_s
    ends = [(float(np.min(each.ttft_s)), float(np.max(each.ttft_s))) for each in targets]
    return min(low for low, _ in ends), max(high for _, high in ends)


def strictest(targets: tuple[Target, ...], slo: Slo) -> Slo:
    """An SLO that meets all of them but for their tiers."""
    if len(targets) == 1:
        return targets[0].slo
    slos = [each.slo for each in targets] or [slo]
    return replace(
        slo,
        ttft_s=min(each.ttft_s for each in slos),
        tpot_s=min(each.tpot_s for each in slos),
        attainment=max(each.attainment for each in slos),
        tiers=(),
    )


def _weighted(demand: Demand, spec: FleetSpec) -> list[tuple[str, Slo, Floats]]:
    """Each class and its weights of all points, then those of none."""
    weights = demand.lengths.weights
    found = [(each.name, each.slo, _weights(each, demand)) for each in spec.classes]
    left = np.maximum(weights - np.sum([own for *_, own in found], axis=0), 0.0)
    return [*found, (OTHERS, spec.slo, left)]


def _weights(each: RequestClass, demand: Demand) -> Floats:
    if each.share is not None:
        return demand.lengths.weights * each.share
    return demand.classes.get(each.name, 0 * demand.lengths.weights)
