"""Seconds between measured points: straight lines along tokens, and along the batch between them.

Rules, which make a table of any shape a function of every batch and length:

1. Between two points a straight line, past the last one the line of the last two, level if that falls.
2. A longer sequence never takes less: what lies below a shorter one's time at the same batch is
   lifted to it. A larger batch may take less, as some kernels do.
3. A column holds the points of one length, and may hold other batches than its neighbours: what lacks is
   read off that column's own line, which begins at no batch at all and the fixed cost. So a length
   that was measured at one batch only pays the fixed cost once and the rest per sequence.
4. Below the shortest length the line of the first two, but never below the fixed cost. A point of no
   tokens, where a table has one, is met instead.

A cost that is linear in the batch at each length is met exactly, whatever points lack; the
three-term form is one.
"""

from bisect import bisect_right
from collections.abc import Iterable
from itertools import accumulate, pairwise
from math import inf

from tandem.errors import InvalidInputError

Point = tuple[int, int, float]  # batch, tokens of each sequence, seconds

_LEAST = 2  # points that make a line


class Line:
    """A line through points (x, y), straight between them and past both ends."""

    def __init__(self, points: list[tuple[float, float]]) -> None:
        self.knots: list[float] = [x for x, _ in points]
        self.values: list[float] = [y for _, y in points]
        self.slopes: list[float] = [
            (y2 - y1) / (x2 - x1) for (x1, y1), (x2, y2) in pairwise(points)
        ]
        self.last: int = len(self.slopes) - 1  # cell

    def cell(self, x: float) -> int:
        """The cell that x lies in: its line holds from knot `cell` to the next; the outer ones for ever."""
        return bisect_right(self.knots, x, 1, self.last + 1) - 1

    def at(self, x: float) -> float:
        """The value at x."""
        i = self.cell(x)
        return self.values[i] + self.slopes[i] * (x - self.knots[i])


class Grid:
    """Seconds against batch and tokens of each sequence.

    `fixed_s` is what a step of no work would take; `origin_s` tells it from the points.
    """

    def __init__(self, points: Iterable[Point], fixed_s: float) -> None:
        columns: dict[int, list[tuple[float, float]]] = {}
        for batch, tokens, seconds in sorted(points):
            columns.setdefault(tokens, [(0.0, fixed_s)]).append((float(batch), seconds))
        self.fixed_s = fixed_s
        self._lengths: list[float] = [float(tokens) for tokens in sorted(columns)]
        self._columns: list[Line] = [_column(columns[tokens]) for tokens in sorted(columns)]
        self._rows: dict[int, Line] = {}

    def row(self, batch: int) -> Line:
        """Seconds of a batch against the tokens of each of its sequences, from 0 on; kept once made."""
        row = self._rows.get(batch)
        if row is None:
            row = self._rows[batch] = self._row(float(batch))
        return row

    def _row(self, batch: float) -> Line:
        lifted_s = accumulate([column.at(batch) for column in self._columns], max)
        points = list(zip(self._lengths, lifted_s, strict=True))
        if self._lengths[0] > 0:
            origin = min(points[0][1], max(self.fixed_s, Line(points).at(0.0)))
            points.insert(0, (0.0, origin))
        return Line(points)


def _column(points: list[tuple[float, float]]) -> Line:
    """Seconds against the batch; level past the last point if the time falls towards it."""
    x, y = points[-1]
    return Line([*points, (x + 1.0, y)] if y < points[-2][1] else points)


def mean_points(points: Iterable[Point], source: str) -> list[Point]:
    """Points in order of batch and tokens, those measured repeatedly as their mean.

    Raises:
        InvalidInputError: a point that is not above zero, or fewer than two lengths; names `source`.

    """
    times: dict[tuple[int, int], list[float]] = {}
    for batch, tokens, seconds in points:
        _check(batch, tokens, seconds, source)
        times.setdefault((batch, tokens), []).append(seconds)
    lengths = {tokens for _, tokens in times}
    if len(lengths) < _LEAST:
        found = f"{len(times)} points at {len(lengths)} lengths"
        raise InvalidInputError(source, found, f"points at {_LEAST} lengths or more")
    return [(*at, sum(each) / len(each)) for at, each in sorted(times.items())]


def origin_s(line: list[tuple[float, float]]) -> float:
    """Seconds at no work: the line of the first two points led back to 0, if it rises from above zero."""
    first_s = line[0][1]
    return min(first_s, max(0.0, Line(line[:_LEAST]).at(0.0)))


def _check(batch: int, tokens: int, seconds: float, source: str) -> None:
    for column, value in (("batch", batch), ("tokens", tokens)):
        if value < 1:
            raise InvalidInputError(f"{source}, {column}", value, "a whole number, 1 or more")
    if not 0.0 < seconds < inf:
        where = f"{source}, seconds at batch {batch} and {tokens} tokens"
        raise InvalidInputError(where, seconds, "a finite number above zero")
