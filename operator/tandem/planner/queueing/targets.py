"""Targets: who is to be served how soon, as weights of length points with a TTFT and a TPOT each.

Classes differ in their SLO, prompts in their TTFT tier. A tier costs a queue nothing: a prompt with less
time than the one with most has, as it were, used up the difference already when it comes.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tandem.planner.demand import Demand, Floats
from tandem.planner.spec import FleetSpec, RequestClass, Slo

OTHERS = "others"  # requests of no class, where there are classes
LEAST_SHARE = 1e-12  # of arrivals: fewer are no class


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


def of(demand: Demand, spec: FleetSpec, kept: NDArray[np.bool_]) -> tuple[Target, ...]:
    """The targets of a demand's requests, of which those of `kept` points are served at all."""
    inputs = demand.lengths.input_tokens
    if kept.any():
        inputs = inputs[kept]
    found = []
    for each, weights in _weighted(demand, spec):
        share = float(weights.sum())
        if share <= LEAST_SHARE:
            continue
        served = (weights[kept] if kept.any() else 0 * weights) / share
        ttft_s = tiered(each.slo, inputs)
        found.append(
            Target(name=each.name, slo=each.slo, share=share, weights=served, ttft_s=ttft_s)
        )
    return tuple(found)


def tiered(slo: Slo, input_tokens: Floats) -> "float | Floats":
    """The TTFT target of each prompt; one number where there are no tiers."""
    if not slo.tiers:
        return slo.ttft_s
    most = np.array([tier.max_input_tokens for tier in slo.tiers])
    targets_s = np.array([*(tier.ttft_s for tier in slo.tiers), slo.ttft_s])
    return targets_s[np.searchsorted(most, input_tokens)]


def longest_s(targets: tuple[Target, ...]) -> float:
    """The longest TTFT target of all."""
    return max(float(np.max(each.ttft_s)) for each in targets)


def shortest_s(targets: tuple[Target, ...]) -> float:
    """The shortest TTFT target of all."""
    return min(float(np.min(each.ttft_s)) for each in targets)


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


def _weighted(demand: Demand, spec: FleetSpec) -> list[tuple[RequestClass, Floats]]:
    """Each class with its weights of all points, then those of none."""
    others = RequestClass(name=OTHERS, slo=spec.slo)
    weights = demand.lengths.weights
    if not spec.classes:
        return [(others, weights)]
    found = [(each, _weights(each, demand)) for each in spec.classes]
    left = np.maximum(weights - np.sum([own for _, own in found], axis=0), 0.0)
    return [*found, (others, left)]


def _weights(each: RequestClass, demand: Demand) -> Floats:
    if each.share is not None:
        return demand.lengths.weights * each.share
    return demand.classes.get(each.name, np.zeros_like(demand.lengths.weights))
