"""Playback: which rule would have been cheapest over the hour that was seen, time running forth and back.

A rule is a predictor, a distance m and a reserve R: what it readies is max((√x + m)², R), held for as long
as a lower wish has to stand. Of those that leave no more than a share of all arrivals beyond what is ready
the one counts that would have cost least. Persistence stands unless another beats it clearly.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tandem.planner.demand import Floats
from tandem.planner.history import History
from tandem.planner.predictors import PREDICTORS, Predictor, Terms, level, telling

# m as shares of the root of the mean rate, and R as quantiles of the rates that were seen.
MOVES = np.array([0.0, 0.02, 0.05, 0.08, 0.12, 0.17, 0.23, 0.3, 0.4, 0.55, 0.75, 1.0])
RESERVES = np.array([0.0, 0.5, 0.75, 0.85, 0.92, 0.96, 0.98, 1.0])
CLEARLY = 0.95  # of what persistence costs, or leaves short where nothing meets the aim


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A choice, all numbers so that it can be remembered.

    Attributes:
        chosen_s: when; before the first one below all times.
        predictor: its place among `PREDICTORS`.
        move: m, in roots of a rate.
        reserve_rps: R.
        most_rps: what came most, which neither m nor R goes beyond.
        period_s: of a season, 0 where none was seen.

    """

    chosen_s: float = -1e12
    predictor: float = 0.0
    move: float = 0.0
    reserve_rps: float = 0.0
    most_rps: float = 0.0
    period_s: float = 0.0

    def predicted(self, history: History, at_s: Floats, terms: Terms) -> Floats:
        """Roots of rates, as the predictor tells them; the level where it knows nothing."""
        told = PREDICTORS[int(self.predictor) % len(PREDICTORS)](history, at_s, terms)
        known = np.isfinite(told)
        return told if known.all() else np.where(known, told, level(history, at_s, terms))


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Looks, `step_s` apart, from the asking to Ready (`lag`) and for which a lower wish stands (`hold`)."""

    step_s: float
    lag: int
    hold: int


@dataclass(frozen=True, slots=True, eq=False)
class Path:
    """A history with the moments that are played back, newest first, and the rates that came until them."""

    history: History
    at_s: Floats
    seen: Floats

    @classmethod
    def over(cls, history: History, at_s: Floats, step_s: float) -> "Path":
        """The path over these moments."""
        return cls(history, at_s, np.fmax(history.rates_rps(at_s, step_s), 0.0))

    def backwards(self, step_s: float) -> "Path":
        """The same with time running back."""
        return Path(self.history.backwards(), step_s - self.at_s[::-1], self.seen[::-1])


@dataclass(frozen=True, slots=True, eq=False)
class Played:
    """Share of arrivals beyond what was ready, and the mean of that; by (m, R)."""

    short: Floats
    cost: Floats

    def best(self, shortage: float) -> tuple[int, int]:
        """The cheapest that leaves so little short; where none does, the one that leaves least."""
        worth = np.where(self.short <= shortage, self.cost, np.inf)
        if not np.isfinite(worth).any():
            worth = self.short + 1e-9 * self.cost
        row, column = np.unravel_index(int(np.argmin(worth)), worth.shape)
        return int(row), int(column)


def choose(path: Path, terms: Terms, pace: Pace, shortage: float) -> Rule:
    """The rule for what comes next."""
    paths = (path, path.backwards(pace.step_s))
    moves, reserves = MOVES * np.sqrt(path.seen.mean()), _quantiles(path.seen)
    chosen, best = Rule(), (np.inf, np.inf)
    for place, predictor in telling(terms):
        played = _played(paths, predictor, terms, pace, (moves, reserves))
        if played is None:
            continue
        row, column = played.best(shortage)
        found = float(played.short[row, column]), float(played.cost[row, column])
        if place and not _beats(found, best, shortage):
            continue
        best = found
        chosen = Rule(
            chosen_s=path.history.end_s,
            predictor=float(place),
            move=float(moves[row]),
            reserve_rps=float(reserves[column]),
            most_rps=float(path.seen.max()),
            period_s=terms.period_s,
        )
    return chosen


def _quantiles(rates: Floats) -> Floats:
    """At `RESERVES`, between neighbours by a line, as numpy does at ten times the cost."""
    places = np.linspace(0.0, 1.0, len(rates))
    told: Floats = np.interp(RESERVES, places, np.sort(rates))
    return told


def ready(
    roots: Floats, move: Floats | float, reserve_rps: Floats | float, most_rps: float
) -> Floats:
    """Rates to be ready for: only a predictor goes beyond what was seen, no distance; a reserve never does."""
    limited = np.minimum((roots + move) ** 2, np.maximum(most_rps, roots**2))
    rates: Floats = np.maximum(limited, reserve_rps)
    return rates


def _beats(one: tuple[float, float], other: tuple[float, float], shortage: float) -> bool:
    """Whether (short, cost) is clearly better: cheaper where both meet the aim, else nearer to it."""
    if one[0] <= shortage:
        return other[0] > shortage or one[1] < CLEARLY * other[1]
    return one[0] < CLEARLY * other[0]


def _played(
    paths: Sequence[Path],
    predictor: Predictor,
    terms: Terms,
    pace: Pace,
    pairs: tuple[Floats, Floats],
) -> Played | None:
    """A predictor with every pair over the moments at which it knew something; None where at none."""
    looked = [_looked(path, predictor(path.history, path.at_s, terms), pace) for path in paths]
    roots, seen = (np.concatenate(each) for each in zip(*looked, strict=True))
    if not len(roots):
        return None
    most_rps = float(paths[0].seen.max())
    of = ready(roots, pairs[0][:, None, None], pairs[1][:, None], most_rps)
    every = np.ones(len(seen))  # a product adds up in half the time of a sum
    readied = of @ every
    served = np.maximum(of, seen, out=of) @ every  # in place: there are some twenty thousand
    return Played((served - readied) / max(float(seen.sum()), 1e-9), readied / len(roots))


def _looked(path: Path, roots: Floats, pace: Pace) -> tuple[Floats, Floats]:
    """The highest root that is held at each moment of which something was known, and the rate that came then.

    What is ready grows with the root, so holding the root is holding all that is made of it.
    """
    known = np.isfinite(roots)
    held = _held(np.where(known, roots, 0.0), pace.hold)[pace.lag :]
    known = known[pace.lag :]
    return held[known], path.seen[: len(known)][known]


def _held(roots: Floats, hold: int) -> Floats:
    """The most of each look and the `hold` before it, newest first: windows that double."""
    held, width = roots.copy(), 1
    hold = min(hold, len(held) - 1)
    while width < hold + 1:
        by = min(width, hold + 1 - width)
        np.maximum(held[:-by], held[by:].copy(), out=held[:-by])
        width += by
    return held
