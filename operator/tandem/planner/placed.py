"""Placed: a fleet whose pods lie in domains, and what it does with a demand.

Its attainment is the mean over all requests. Percentiles and use are told of the domain that does worst in
each, since the SLO is asked of every request wherever it goes; shares of requests are means again.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from tandem.planner import prediction
from tandem.planner.demand import Floats
from tandem.planner.model import Prediction
from tandem.planner.queueing import headroom
from tandem.planner.queueing.tandem import Tandem
from tandem.planner.region import Pair, counts
from tandem.planner.spec import Domain


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Place:
    """What lies in a domain, and its share of the arrivals; `tandem` has these."""

    domain: Domain
    replicas: Pair
    share: float
    tandem: Tandem

    @property
    def counts(self) -> tuple[int, int]:
        """Prefill and decode replicas."""
        return counts(self.replicas)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Placement:
    """Where all pods lie, the largest domain first; none where they can't be placed.

    `reason` is what domains cost, or which of them is too small for what.
    """

    places: tuple[Place, ...]
    reason: str = ""

    @property
    def serving(self) -> tuple[Place, ...]:
        """The domains that get any requests."""
        return serving(self.places)


def serving(places: Sequence[Place]) -> tuple[Place, ...]:
    """Those that get any requests."""
    return tuple(each for each in places if each.share > 0)


def attainment(places: Sequence[Place]) -> float:
    """Share of all requests that meet their targets."""
    return sum(each.share * each.tandem.attainment(*each.counts) for each in serving(places))


def attainments(places: Sequence[Place]) -> Floats:
    """The same of each target's own requests, shape (targets,); 0 where nobody is served."""
    parts = [each.share * each.tandem.attainments(*each.counts) for each in serving(places)]
    return np.sum(parts, axis=0) if parts else np.zeros(1)


def tightest(places: Sequence[Place]) -> Place | None:
    """The domain whose load can grow least; None where none gets requests."""

    def growth(place: Place) -> float:
        return min(headroom.growth(place.tandem, *place.counts).values())

    return min(serving(places), key=growth, default=None)


def predicted(places: Sequence[Place]) -> Prediction:
    """What the fleet does with the demand that its domains share."""
    parts = [(each.share, prediction.of(each.tandem, *each.counts)) for each in serving(places)]
    tight = tightest(places)
    if tight is None:
        return prediction.NOTHING
    own = prediction.of(tight.tandem, *tight.counts)

    def mean(of: Callable[[Prediction], float]) -> float:
        return sum(share * of(part) for share, part in parts)

    def worst(of: Callable[[Prediction], Sequence[float]]) -> tuple[float, ...]:
        return tuple(max(column) for column in zip(*(of(part) for _, part in parts), strict=True))

    classes = {
        name: sum(share * part.classes[name] for share, part in parts) for name in own.classes
    }
    use = {name: max(part.utilisation[name] for _, part in parts) for name in own.utilisation}
    return Prediction(
        attainment=mean(lambda part: part.attainment),
        classes=classes,
        ttft_s=worst(lambda part: part.ttft_s),
        tpot_s=worst(lambda part: part.tpot_s),
        utilisation=use,
        bottleneck=own.bottleneck,
        preempted=mean(lambda part: part.preempted),
        held_up=max(part.held_up for _, part in parts),
    )
