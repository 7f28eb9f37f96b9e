"""Buckets: many lengths made few, so that what is computed of them costs little and the queues see no difference.

Lengths of a bucket, a share of a doubling, become their mean; outputs that differ much two points.
"""

from bisect import bisect_left

import numpy as np
from numpy.typing import ArrayLike, NDArray

Table = NDArray[np.float64]
MOST_POINTS = 256  # of a mix; twice as many double the time of a prediction and move it by < 1 %
BUCKETS = (  # a doubling of (uncached input, input, output), each coarser than the one before
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
)
BUCKET_PLACES = np.array([2**40, 2**20, 1])  # one number for three buckets
WIDE = 0.003  # squared variation of outputs in a bucket that matters; a bucket of 8 a doubling has 0.0006


def coarsened(cells: ArrayLike) -> Table:
    """Rows (input, cached, output, weight) merged by length buckets until few.

    What must be computed of a prompt keeps the finest buckets: its time meets the TTFT target directly.
    Outputs of a wide bucket become two points with their first three moments, because contexts grow with
    the square of the output.
    """
    table = np.asarray(cells, dtype=np.float64)
    new = table[:, 0] - table[:, 1]
    octaves = np.log2(np.maximum(np.column_stack([new, table[:, 0], table[:, 2]]), 1.0))
    fits = bisect_left(
        BUCKETS, True, key=lambda each: _distinct(_buckets(octaves, each)) <= MOST_POINTS
    )
    for resolution in BUCKETS[fits:-1]:
        keys, group = np.unique(_buckets(octaves, resolution), return_inverse=True)
        if _few(keys) and _few(rows := _merged(table, group)):
            return rows
    return _merged(table, np.unique(_buckets(octaves, BUCKETS[-1]), return_inverse=True)[1])


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


def _distinct(keys: NDArray[np.int64]) -> int:
    """How many different ones; twice as quick as to list them."""
    ordered = np.sort(keys)
    return 1 + int(np.count_nonzero(ordered[1:] != ordered[:-1]))


def _few(rows: NDArray[np.generic]) -> bool:
    return len(rows) <= MOST_POINTS


def _buckets(octaves: Table, resolution: tuple[float, float, float]) -> NDArray[np.int64]:
    """One number for the three buckets of each row."""
    buckets: NDArray[np.int64] = np.floor(octaves * resolution).astype(np.int64) @ BUCKET_PLACES
    return buckets


def _merged(table: Table, group: NDArray[np.intp]) -> Table:
    """One row for each group of rows, two where its outputs differ much."""
    inputs, cached, outputs, weights = table.T
    total = np.bincount(group, weights)
    first, second, third = (np.bincount(group, weights * outputs**k) / total for k in (1, 2, 3))
    means = [np.bincount(group, weights * lengths) / total for lengths in (inputs, cached)]
    wide = second - first**2 > WIDE * first**2
    low, high, share = two_points(first[wide], second[wide], third[wide])
    split = [mean[wide] for mean in means]
    return np.concatenate(
        [
            np.column_stack([*means, first, total])[~wide],
            np.column_stack([*split, low, total[wide] * share]),
            np.column_stack([*split, high, total[wide] * (1 - share)]),
        ]
    )
