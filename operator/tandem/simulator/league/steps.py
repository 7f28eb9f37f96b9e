"""Schedules as step functions: made from what work needs, and changed piece by piece."""

from collections.abc import Iterable, Sequence
from math import ceil, sqrt

import numpy as np

from tandem.simulator.league.job import Conditions, Steps

SMOOTHED_S = 60.0  # over which needs are averaged: shorter peaks are the head-room's


def fluid(
    needs: tuple[Sequence[float], Sequence[float]],
    bin_s: float,
    headrooms: tuple[float, float],
    conditions: Conditions,
) -> Steps:
    """What the work of each bin needs of (prefill, decode), and so many of its square roots more, in time.

    Square-root staffing (Halfin and Whitt, 1981) around the true future. A dip shorter than a cold start
    is filled: a pod that goes and comes back would cost as much.
    """
    wanted = [
        _asked(pods, headroom, bin_s, conditions)
        for pods, headroom in zip(needs, headrooms, strict=True)
    ]
    rows = zip(*wanted, strict=True)
    return merged((index * bin_s, *pair) for index, pair in enumerate(rows))


def changed(
    steps: Steps, role: int, span_s: tuple[float, float], by: int, bounds: tuple[int, int]
) -> Steps:
    """The schedule with so many more of one role's replicas (0 prefill, 1 decode) over [begin, end)."""
    begin_s, end_s = span_s
    rows: list[tuple[float, int, int]] = []
    for t_s in sorted({begin_s, end_s, *(step[0] for step in steps)}):
        pair = list(at(steps, t_s))
        if begin_s <= t_s < end_s:
            pair[role] = min(max(pair[role] + by, bounds[0]), bounds[1])
        rows.append((t_s, pair[0], pair[1]))
    return merged(rows)


def at(steps: Steps, t_s: float) -> tuple[int, int]:
    """(prefill, decode) in force at a time."""
    _, prefill, decode = next((step for step in reversed(steps) if step[0] <= t_s), steps[0])
    return prefill, decode


def merged(rows: Iterable[tuple[float, int, int]]) -> Steps:
    """Only the rows at which something changes."""
    kept: list[tuple[float, int, int]] = []
    for row in rows:
        if not kept or kept[-1][1:] != row[1:]:
            kept.append(row)
    return tuple(kept)


def _asked(
    pods: Sequence[float], headroom: float, bin_s: float, conditions: Conditions
) -> list[int]:
    width = max(1, round(SMOOTHED_S / bin_s))
    padded = np.pad(np.asarray(pods), (width // 2, width - 1 - width // 2), mode="edge")
    needs = np.convolve(padded, np.full(width, 1 / width), mode="valid")
    wanted = [ceil(need + headroom * sqrt(max(need, 0.0)) - 1e-9) for need in needs]
    bounded = [min(max(count, conditions.least), conditions.most) for count in wanted]
    ahead = ceil((conditions.cold_start_s + conditions.interval_s) / bin_s)
    return [max(bounded[index : index + ahead + 1]) for index in range(len(bounded))]
