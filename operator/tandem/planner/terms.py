"""Terms of a decode step, told apart as far as what was seen tells them apart.

    TPOT / step told  =  s + d·(row − mean row)        row: shares of α, β·n and γ·K in the step told

At the mean of what was seen the step is scaled by one factor s, as a ratio of fading sums. Around it each
term has a slope d of its own, by least squares with a ridge: a fleet that holds much the same all day, or
whose terms move together, has no slopes, and one factor for all. Requests end with the mean of the steps
of their life, so a row is made of what replicas held over the last half of one.

Source: this project; recursive least squares in information form with exponential forgetting, the ridge
of Hoerl and Kennard (1970), weights of Huber (1964). Measured: docs/decisions/0013.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from math import exp

import numpy as np

from tandem.planner.model import Terms

PRIOR_REQUESTS = 15.0  # that took what the profile says
# Requests times squared shares: so much spread of rows before slopes have half their say. A tenth of it
# tells steps better and plans worse: on one load of eight a decode pod too few costs 1.2 % of requests.
RIDGE = 100.0
BELIEVED = (
    5.0  # a ratio beyond, or below its inverse, tells of a broken figure and not of an engine
)
EXPECTED = 0.1  # an outcome that is further off than this from what was learnt counts less
LEAST_TO_JUDGE = 200.0  # requests before outcomes are judged by what was learnt
PLACES = ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))

Row = Sequence[float]
Factors = tuple[float, float, float]


def held(terms: Terms, residents: float, kv: float, interval_s: float, over_s: float) -> Terms:
    """With what replicas hold now, smoothed over `over_s`."""
    before = (terms.residents, terms.kv) if terms.residents > 0 else (residents, kv)
    share = 1 - exp(-interval_s / over_s) if over_s > 0 else 1.0
    return replace(
        terms,
        residents=before[0] + share * (residents - before[0]),
        kv=before[1] + share * (kv - before[1]),
    )


def learnt(terms: Terms, row: Row, outcome: float, requests: float, keep: float) -> Terms:
    """With the outcome of so many requests; what was known counts `keep` of what it did."""
    if not 1 / BELIEVED <= outcome <= BELIEVED:
        return terms
    if requests_of(terms) > LEAST_TO_JUDGE:
        told = sum(f * share for f, share in zip(factors(terms), row, strict=True))
        requests *= min(1.0, EXPECTED / max(abs(outcome / told - 1), 1e-9))
    return replace(
        terms,
        squares=tuple(
            old * keep + requests * row[i] * row[j]
            for old, (i, j) in zip(terms.squares, PLACES, strict=True)
        ),
        products=tuple(
            old * keep + requests * share * outcome
            for old, share in zip(terms.products, row, strict=True)
        ),
    )


def lightened(terms: Terms, requests: float) -> Terms:
    """As a guess that weighs no more than so many requests: of engines that were replaced."""
    by = min(1.0, requests / max(requests_of(terms), 1e-9))
    return Terms(
        squares=tuple(by * each for each in terms.squares),
        products=tuple(by * each for each in terms.products),
    )


@lru_cache(maxsize=8)
def factors(terms: Terms) -> Factors:
    """What α, β and γ have to be multiplied by; 1 while nothing is known."""
    weight = requests_of(terms)
    if weight <= 0:
        return 1.0, 1.0, 1.0
    squares = np.empty((3, 3))
    for value, (i, j) in zip(terms.squares, PLACES, strict=True):
        squares[i, j] = squares[j, i] = value
    products = np.array(terms.products)
    mean, outcome = squares.sum(axis=0) / weight, products.sum() / weight
    level = mean_factor(terms)
    spread = squares - weight * np.outer(mean, mean)
    slopes = np.linalg.solve(spread + RIDGE * np.eye(3), products - weight * outcome * mean)
    alpha, beta, gamma = np.clip(level + slopes - slopes @ mean, 1 / BELIEVED, BELIEVED).tolist()
    return alpha, beta, gamma


def mean_factor(terms: Terms) -> float:
    """What a step like the mean of those that were seen has to be multiplied by."""
    return (sum(terms.products) + PRIOR_REQUESTS) / (requests_of(terms) + PRIOR_REQUESTS)


def requests_of(terms: Terms) -> float:
    """How many have been learnt from, faded: a row's shares sum to 1."""
    return sum(
        value if i == j else 2 * value for value, (i, j) in zip(terms.squares, PLACES, strict=True)
    )
