"""How far the wait of a GI/G/c queue departs from the exponential of heavy traffic: δ(u), measured.

A quartic in eight figures of the queue, fitted to simulated queues (`benchmarks/planner/bend.py`: what was
simulated, how it was fitted, what is left; docs/decisions/0009-*.md: why). Outside of what was simulated
the figures stay at its edge.
"""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import combinations_with_replacement
from math import log, log1p

import numpy as np

from tandem.planner.demand import Floats

KNOTS: Floats = np.array([0.0, 0.1, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.5])
MOST = 1.5  # of δ: a bend that is larger was not seen where anybody waits
FIGURES = 8
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


def of(law: ServiceLaw, arrival_ca2: float, load: Floats, servers: Floats) -> Floats:
    """δ at the knots of queues with this law of service and arrivals, shape (queues, knots)."""
    bent = terms(figures(law, arrival_ca2, load, servers)).T @ _table()
    return np.maximum(np.minimum(bent, MOST), -MOST)


def figures(law: ServiceLaw, arrival_ca2: float, load: Floats, servers: Floats) -> Floats:
    """A one and the eight figures, each of the order of 1, shape (figures, queues)."""
    count = np.maximum(np.minimum(servers, SERVERS[1]), SERVERS[0])
    use = np.maximum(np.minimum(load / servers, USE[1]), USE[0])
    ca2, scv = min(max(arrival_ca2, CA2[0]), CA2[1]), min(law.scv, SCV)
    peakedness = law.peakedness(ca2)
    table = np.ones((FIGURES + 1, len(count)))
    table[1] = 2 / np.sqrt(count) - 1
    table[2] = 2 * use - 1
    table[3] = 2 / (1 + (1 - use) * np.sqrt(count / peakedness)) - 1
    table[4] = log(peakedness)
    table[5] = log1p(scv) - 0.8
    table[6] = log(law.skew) - 0.5
    table[7] = log(ca2)
    table[8] = log(law.overlap) + 0.6
    return table


def terms(figures: Floats) -> Floats:
    """All products of up to four figures, shape (terms, queues)."""
    first, second, third, fourth = _PLACES
    product: Floats = figures[first] * figures[second] * figures[third] * figures[fourth]
    return product


_PLACES = np.array(list(combinations_with_replacement(range(FIGURES + 1), 4))).T


@cache
def _table() -> Floats:
    """Coefficients, shape (terms, knots)."""
    with TABLE.open() as lines:
        return np.loadtxt(lines, delimiter=",")
