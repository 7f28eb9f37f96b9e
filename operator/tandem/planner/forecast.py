"""Forecast: the rate to be ready for when a pod asked for now is there.

    max((√level + m)², R), held for as long as a lower wish has to stand

The level is the rate over a window longer than the cold start. The move m follows it with a distance; the
reserve R stands whatever the level is. Both are chosen together, anew at each look, by playing every pair
of them back over the last hour, forth and backwards in time: of those that would have left no more than the share `shortage` of all
arrivals beyond what was ready, the one that would have cost least. So a fleet whose traffic is nearly
stationary stands still, one that sees rare bursts keeps a reserve for them, one whose traffic drifts
follows it, and nobody says which of them it is. The hour is one of 100 s cold starts: where pods start
sooner less is played back, for a burst costs less and a reserve as much. Arrivals beyond what is ready weigh by their number: a
burst counts for as much as it brings.

Square roots, because counts of a Poisson stream then have the same spread at any rate, and because
differences of logarithms explode after idle minutes. Until enough has been seen the answer leans on a
prior spread: a fleet that starts knows nothing of its traffic.

Source: this project (docs/concepts/queueing-model.md); the square roots from a throw-away league.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from tandem.planner.demand import Floats
from tandem.planner.history import History
from tandem.planner.memory import Rates

HORIZON = 36.0  # lead times that are played back, an hour at 100 s: what starts soon need not stand by long
MOST_STEP_S = 30.0  # between two moments that are played back; as coarse as what is remembered
STEPS_A_LEAD = 3.0
PRIOR_SAMPLES = 4.0  # independent lead times after which the prior has half the say
PRIOR_QUANTILE = 0.82  # of the assumed spread
# m as shares of the root of the mean rate, and R as quantiles of the rates that were seen.
MOVES = np.array([0.0, 0.02, 0.05, 0.08, 0.12, 0.17, 0.23, 0.3, 0.4, 0.55, 0.75, 1.0])
RESERVES = np.array([0.0, 0.5, 0.75, 0.85, 0.92, 0.96, 0.98, 1.0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """Rates in requests a second: over the window until now, and to be ready for; how often it was seen.

    `reserve_rps` is what stands whatever the level is.
    """

    level_rps: float
    rate_rps: float
    reserve_rps: float
    samples: float


def forecast(
    rates: Rates, *, window_s: float, lead_s: float, hold_s: float, shortage: float, prior: float
) -> Forecast | None:
    """What to be ready for `lead_s` from the last look on; None when nothing was watched.

    `prior` is the relative spread of the rate that is assumed as long as nothing is known.
    """
    if not rates:
        return None
    history = History(rates)
    step_s = min(max(lead_s / STEPS_A_LEAD, 1.0), MOST_STEP_S)
    span_s = min(history.span_s, HORIZON * lead_s)
    ends_s = np.arange(history.end_s, history.end_s - span_s, -step_s)
    levels = history.rates_rps(ends_s, window_s)
    if not len(levels) or not np.isfinite(levels[0]):
        return None
    lag = max(1, round(lead_s / step_s))
    watched = np.isfinite(levels)
    count = int(np.flatnonzero(watched)[-1]) + 1  # from the first look on that told something
    samples = max(0, count - lag) / lag
    level_rps = float(levels[0])
    assumed_rps = level_rps * (1 + float(ndtri(PRIOR_QUANTILE)) * prior / 2) ** 2
    if samples == 0:
        return Forecast(level_rps=level_rps, rate_rps=assumed_rps, reserve_rps=0.0, samples=0.0)
    seen = np.nan_to_num(history.rates_rps(ends_s, step_s), nan=0.0)
    hold = max(1, round(hold_s / step_s))
    ahead = history.rates_rps(ends_s + window_s, window_s)[:count]
    forth = _Path(levels[:count], seen[:count])
    back = _Path(ahead[::-1], seen[:count][::-1])
    move, reserve_rps = _best((forth, back), lag, hold, shortage)
    learnt_rps = min(max((np.sqrt(level_rps) + move) ** 2, reserve_rps), max(seen.max(), level_rps))
    trust = samples / (samples + PRIOR_SAMPLES)
    rate_rps = trust * learnt_rps + (1 - trust) * max(assumed_rps, reserve_rps)
    return Forecast(
        level_rps=level_rps, rate_rps=float(rate_rps), reserve_rps=reserve_rps, samples=samples
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Path:
    """Levels that were known at moments, and rates that came at them; newest first, NaN where unknown."""

    levels: Floats
    seen: Floats

    def played(
        self, moves: Floats, reserves: Floats, most_rps: float, lag: int, hold: int
    ) -> tuple[Floats, float, Floats]:
        """Arrivals beyond what was ready, all arrivals, and the mean of what was; by (m, R)."""
        known = np.isfinite(self.levels)
        roots = np.sqrt(np.where(known, self.levels, 0.0))
        follows = (roots[None, :] + moves[:, None]) ** 2
        ready = np.maximum(follows[:, None, :], reserves[None, :, None])
        ready = np.minimum(ready, most_rps)
        held = ready.copy()
        for older in range(1, min(hold, len(roots) - 1) + 1):
            np.maximum(held[..., :-older], ready[..., older:], out=held[..., :-older])
        came = np.where(known[lag:], self.seen[: len(self.seen) - lag], 0.0)
        short = np.maximum(came - held[..., lag:], 0.0).sum(axis=-1)
        return short, float(came.sum()), held.mean(axis=-1)


def _best(paths: tuple[_Path, _Path], lag: int, hold: int, shortage: float) -> tuple[float, float]:
    """(m, R) that would have been cheapest, time running forth and back.

    Traffic that broke off may come back as it went: what fell faster than pods start counts as what rose.
    Where no pair would have left so little short, the one that left least.
    """
    seen = paths[0].seen
    most_rps = max(float(seen.max()), float(np.nanmax(paths[0].levels)))
    moves, reserves = MOVES * np.sqrt(seen.mean()), np.quantile(seen, RESERVES)
    played = [path.played(moves, reserves, most_rps, lag, hold) for path in paths]
    short = sum(each[0] for each in played) / max(sum(each[1] for each in played), 1e-9)
    cost = played[0][2]
    worth = np.where(short <= shortage, cost, np.inf)
    if not np.isfinite(worth).any():
        worth = short + 1e-9 * cost
    row, column = np.unravel_index(int(np.argmin(worth)), worth.shape)
    return float(moves[row]), float(reserves[column])
