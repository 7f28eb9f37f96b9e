"""Tokens: how long the first step takes for who comes in the middle of one, and how long all later ones on average."""

import numpy as np

from tandem.planner.demand import Floats
from tandem.planner.queueing import decode
from tandem.planner.queueing.decode import DecodePool, DecodeWork
from tandem.planner.queueing.grid import Grid

THIRDS = (0.1823, 0.6931, 1.7918)  # exponential quantiles at the middles of its thirds
LATE = np.array(
    [1.0, *(1 + (np.arange(4) + 0.5) / 4)]
)  # 1 + U: at once, or U at the middles of quarters
LATE_SHARES = np.array(
    [[1.0, 0, 0, 0, 0], [-1.0, 0.25, 0.25, 0.25, 0.25]]
)  # that and with whom busy


def tpot_within(
    work: DecodeWork,
    pool: DecodePool,
    later: Floats,
    seconds: float | Floats,
    transfer_s: Floats | None = None,
) -> Floats:
    """P(TPOT <= seconds) of requests of so many `later` tokens; 1 where there are none.

    Where the prefill leg emits token 1, `transfer_s` is what comes before the next besides a wait.
    """
    sharper, mean_step_s = 1 / decode.averaging(pool, work.steps), pool.mean_step_s
    own_s = work.own_s + mean_step_s
    total: float | Floats = 0.0
    for share, gap_s in _gaps(pool, transfer_s):
        mean_s = own_s if gap_s is None else own_s + gap_s / np.maximum(later, 1.0)
        step_s = seconds * sharper + (mean_step_s - mean_s * sharper)
        total = total + share * steps_within(pool, step_s)
    return np.where(later > 0, total, 1.0)


def first_step(pool: DecodePool, grid: Grid) -> Floats:
    """Masses of U·τ + τ: a request that comes in mid-iteration waits for its end."""
    seconds = LATE[:, None] * pool.step_s
    weights = (LATE_SHARES[0] + LATE_SHARES[1] * pool.busy)[:, None] * pool.shares
    return grid.points(seconds.ravel(), weights.ravel())


def steps_within(pool: DecodePool, seconds: Floats) -> Floats:
    """P(τ <= t): an atom where nobody else is in the replica, else each state spread over its cell."""
    share, ends = pool.shares.cumsum(), pool.step_s
    edges = np.concatenate([ends[:1], (ends[1:] + ends[:-1]) / 2, ends[-1:]])
    within: Floats = np.interp(seconds, edges, np.concatenate([share[:1], share]), left=0.0)
    return within


def _gaps(pool: DecodePool, transfer_s: Floats | None) -> tuple[tuple[float, Floats | None], ...]:
    """Weighted seconds that TPOT holds besides its steps: the first gap, if prefill emits token 1."""
    if transfer_s is None:
        return ((1.0, None),)
    wait = pool.admission
    at_once_s = transfer_s + pool.busy * pool.mean_step_s / 2
    if wait.probability == 0:
        return ((1.0, at_once_s),)
    third = wait.probability / len(THIRDS)
    waits = ((third, at_once_s + z / max(wait.decay_per_s, 1e-9)) for z in THIRDS)
    return ((1 - wait.probability, at_once_s), *waits)
