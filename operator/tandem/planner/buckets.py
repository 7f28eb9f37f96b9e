"""Buckets: many lengths made few, so that what is computed of them costs little and the queues see no difference.

Lengths of a bucket, a share of a doubling, become their mean; outputs that differ much two points.
"""

from bisect import bisect_left

import numpy as np
from numpy.typing import ArrayLike, NDArray

Table = NDArray[np.float64]
MOST_POINTS = 256  # of a mix; twice as many double the time of a prediction and move it by < 1 %
# A doubling of (uncached input, input, output), each coarser than the one before.
BUCKETS = np.array(
    [
        (8, 8, 8),
        (8, 8, 2),
        (8, 4, 1),
        (8, 2, 0.5),
        (8, 2, 0.25),
        (8, 1, 0.25),
        (4, 1, 0.25),
        (2, 1, 0.25),
        (1, 0.5, 0.1),
        (0.5, 0.25, 0.1),
    ]
)[:, :, None]
BUCKET_PLACES = np.array([2.0**32, 2.0**16, 1.0])  # one number for three buckets, exact in a double
WIDE = 0.003  # squared variation of outputs in a bucket that matters; a bucket of 8 a doubling has 0.0006


def coarsened(cells: ArrayLike) -> Table:
    """Rows (input, cached, output, weight) merged by length buckets until few.

    What must be computed of a prompt keeps the finest buckets: its time meets the TTFT target directly.
    Outputs of a wide bucket become two points with their first three moments, because contexts grow with
    the square of the output.
    """
    table = np.asarray(cells, dtype=np.float64)
    new = table[:, 0] - table[:, 1]
    octaves = np.log2(np.maximum(np.stack([new, table[:, 0], table[:, 2]]), 1.0))
    fits = bisect_left(
        BUCKETS, True, key=lambda each: _distinct(_buckets(octaves, each)) <= MOST_POINTS
    )
    for resolution in BUCKETS[fits:-1]:
        rows = _merged(table, _buckets(octaves, resolution))
        if len(rows) <= MOST_POINTS:
            return rows
    return _merged(table, _buckets(octaves, BUCKETS[-1]))


def two_points(first: Table, second: Table, third: Table) -> tuple[Table, Table, Table]:
    """Low and high node and the low one's share, of the two-point laws with these raw moments.

    Two-point Gauss quadrature: nodes at m + s(γ/2 ∓ √(1 + γ²/4)) with s the deviation, γ the skewness.
    """
    variance = second - first**2
    deviation = np.sqrt(variance)
    skew = (third - 3 * first * variance - first**3) / deviation**3
    reach = np.sqrt(1 + skew**2 / 4)
    low = first + deviation * (skew / 2 - reach)
    high = first + deviation * (skew / 2 + reach)
    return low, high, (1 + skew / 2 / reach) / 2


def begins(*columns: Table) -> NDArray[np.bool_]:
    """Where runs of equal rows begin, in columns whose equals stand together; quicker than row by row."""
    begun = np.zeros(len(columns[0]), dtype=np.bool_)
    begun[:1] = True
    for column in columns:
        begun[1:] |= column[1:] != column[:-1]
    return begun


def _distinct(keys: Table) -> int:
    """How many different ones; twice as quick as to list them."""
    return int(np.count_nonzero(begins(np.sort(keys))))


def _buckets(octaves: Table, resolution: Table) -> Table:
    """One number for the three buckets of each row."""
    buckets: Table = BUCKET_PLACES @ np.floor(octaves * resolution)
    return buckets


def _merged(table: Table, keys: Table) -> Table:
    """One row for all rows of a key, two where their outputs differ much."""
    order = keys.argsort(kind="stable")  # one order, and so one sum, on every machine
    total, means = _means(table.take(order, axis=0), keys.take(order))
    first, second = means[2:4]
    wide = second - first * first > WIDE * first * first
    rows = np.stack([*means[:3], total], axis=1)
    if not wide.any():
        return rows
    low, high = rows.compress(wide, axis=0), rows.compress(wide, axis=0)
    low[:, 2], high[:, 2], share = two_points(*means[2:].compress(wide, axis=1))
    low[:, 3] *= share
    high[:, 3] *= 1 - share
    return np.concatenate([rows.compress(~wide, axis=0), low, high])


def _means(table: Table, keys: Table) -> tuple[Table, Table]:
    """Weight of each run of equal keys, and weighed means of inputs, cached, outputs, their squares and cubes."""
    inputs, cached, outputs, weights = table.T
    sums = np.empty((6, len(table)))
    sums[0] = weights
    for place, values in enumerate((inputs, cached, outputs), start=1):
        np.multiply(weights, values, out=sums[place])
    for place in (4, 5):
        np.multiply(sums[place - 1], outputs, out=sums[place])
    sums = np.add.reduceat(sums, np.flatnonzero(begins(keys)), axis=1)
    return sums[0], sums[1:] / sums[0]
