"""How far the wait of a GI/G/c queue departs from the exponential of heavy traffic: δ(u), measured.

A quartic in eight figures of the queue, fitted to simulated queues (`benchmarks/planner/bend.py`: what was
simulated, how it was fitted, what is left; docs/decisions/0009-*.md: why). Outside of what was simulated
the figures stay at its edge.
"""

from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from itertools import combinations_with_replacement
from math import log, log1p, sqrt

import numpy as np
from numpy.typing import NDArray

from tandem.planner.demand import RECENT, Floats

KNOTS: Floats = np.array([0.0, 0.1, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.5])
MOST = 1.5  # of δ: a bend that is larger was not seen where anybody waits
FIGURES = 8
OWN = 3  # of them, of a queue; the others are of the law and the arrivals
SERVERS = (1, 100)
USE = (0.35, 0.97)
CA2 = (0.25, 5.6)
SCV = 6.5
LEAST_PEAKEDNESS = 0.05
TABLE = files("tandem.planner.queueing") / "bend.csv"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceLaw:
    """What a law of service times is like, whatever its mean.

    Attributes:
        scv: Cs², the squared coefficient of variation.
        skew: E[S³]E[S]/E[S²]²: 1 for constant times, 1.5 for exponential ones.
        overlap: E[min(S, S')]/E[S] of two independent ones: 1 for constant times, 0.5 for exponential ones.

    """

    scv: float
    skew: float
    overlap: float

    @classmethod
    def of(cls, times: Floats, weights: Floats) -> "ServiceLaw":
        """The law of weighted times; weights sum to 1."""
        order = np.argsort(times)
        times, weights = times[order] / float(weights @ times), weights[order]
        longer = np.cumsum(weights[::-1])[::-1]  # P(S >= each)
        square, cube = float(weights @ times**2), float(weights @ times**3)
        overlap = float(np.diff(times, prepend=0.0) @ longer**2)
        return cls(scv=max(0.0, square - 1), skew=cube / square**2, overlap=overlap)

    def peakedness(self, arrival_ca2: float) -> float:
        """Variance over mean of the customers there, had each a server (Eckberg 1983, for renewals)."""
        return max(1 + (arrival_ca2 - 1) * self.overlap, LEAST_PEAKEDNESS)


def of(law: ServiceLaw, arrival_ca2: float, load: float, servers: float) -> Floats:
    """δ at the knots of a queue with this law of service and arrivals."""
    own = _own(law.peakedness(_ca2(arrival_ca2)), load, servers)
    bent = _products(own, _OWN_PLACES) @ _of_own(law, arrival_ca2)
    return np.maximum(np.minimum(bent, MOST), -MOST)


def terms(law: ServiceLaw, arrival_ca2: float, load: float, servers: float) -> Floats:
    """All products of up to four of the figures, each of the order of 1."""
    own = _own(law.peakedness(_ca2(arrival_ca2)), load, servers)
    return _products(np.concatenate([own, _of_law(law, arrival_ca2)]), _PLACES)


def _ca2(arrival_ca2: float) -> float:
    """Within what was simulated."""
    return min(max(arrival_ca2, CA2[0]), CA2[1])


def _own(peakedness: float, load: float, servers: float) -> Floats:
    """A one and the figures in which queues with the same law and arrivals differ."""
    count = max(min(servers, SERVERS[1]), SERVERS[0])
    use = max(min(load / servers, USE[1]), USE[0])
    both = 1 + (1 - use) * sqrt(count / peakedness)
    return np.array([1.0, 2 / sqrt(count) - 1, 2 * use - 1, 2 / both - 1])


def _of_law(law: ServiceLaw, arrival_ca2: float) -> Floats:
    """The other figures."""
    ca2 = _ca2(arrival_ca2)
    return np.array(
        [
            log(law.peakedness(ca2)),
            log1p(min(law.scv, SCV)) - 0.8,
            log(law.skew) - 0.5,
            log(ca2),
            log(law.overlap) + 0.6,
        ]
    )


@lru_cache(maxsize=RECENT)
def _of_own(law: ServiceLaw, arrival_ca2: float) -> Floats:
    """Coefficients of the quartic in a queue's own figures alone, shape (own terms, knots)."""
    others = np.concatenate([np.ones(1 + OWN), _of_law(law, arrival_ca2)])
    terms = _products(others, _OTHERS)[:, None] * _by_own()
    coefficients: Floats = np.add.reduceat(terms, _BEGINS, axis=0)
    return coefficients


def _products(figures: Floats, places: NDArray[np.intp]) -> Floats:
    """The products of the figures at each four places."""
    first, second, third, fourth = figures[places]
    product: Floats = first * second * third * fourth
    return product


def _places(figures: int) -> NDArray[np.intp]:
    """All choices of four among a one and so many figures, shape (4, terms)."""
    return np.array(list(combinations_with_replacement(range(figures + 1), 4))).T


def _own_terms() -> NDArray[np.intp]:
    """Which own term each term holds: with ones in the places of the other figures."""
    own = np.sort(np.where(_PLACES > OWN, 0, _PLACES), axis=0)
    held: NDArray[np.intp] = (own == _OWN_PLACES.T[:, :, None]).all(axis=1).argmax(axis=0)
    return held


_PLACES, _OWN_PLACES = _places(FIGURES), _places(OWN)
# Terms in the order of the own terms that they hold, where each of these begins, and the figures in them.
_HELD = _own_terms()
_ORDER = np.argsort(_HELD, kind="stable")
_BEGINS = np.searchsorted(_HELD[_ORDER], np.arange(_OWN_PLACES.shape[1]))
_OTHERS = _PLACES[:, _ORDER]


@cache
def _by_own() -> Floats:
    """Coefficients in the order of own terms, shape (terms, knots)."""
    with TABLE.open() as lines:
        return np.loadtxt(lines, delimiter=",")[_ORDER]
