"""Step times by interpolation of a table: the simulator's truth, which is not the planner's formula.

A prompt's time F(L) is read off the table's row of one prompt; F(0) is the fixed cost a step pays once,
the row led back to no tokens. With T(n, L) the row of n prompts:

    prefill   n chunks, each from p to L     F(0) + Σ (T(n, L) - T(n, p)) / n
    decode    B sequences, C tokens in sum   D(B, C / B)
    mixed     prefill + decode - the smaller of F(0) and D(0): weights are read once

So one prompt in one chunk takes F(L), n equal prompts T(n, L), and a prompt in k chunks takes F(L)
and k - 1 fixed costs, wherever it was cut. How points become rows: `tandem.perf.grid`.

No NumPy: a look-up is one dictionary and one bisection, less than NumPy takes to begin.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import inf

from tandem.errors import InvalidInputError
from tandem.perf.grid import Grid, Line, Point, mean_points, origin_s


@dataclass(frozen=True)
class Calibration:
    """Measured = scale x tabled + offset, of every prefill batch and every decode step."""

    prefill_scale: float = 1.0
    prefill_offset_s: float = 0.0
    decode_scale: float = 1.0
    decode_offset_s: float = 0.0

    def __post_init__(self) -> None:
        for name, value in (("prefill", self.prefill_scale), ("decode", self.decode_scale)):
            if not 0.0 < value < inf:
                allowed = "a finite number above zero"
                raise InvalidInputError(f"calibration.{name}_scale", value, allowed)
        for name, value in (("prefill", self.prefill_offset_s), ("decode", self.decode_offset_s)):
            if not 0.0 <= value < inf:
                allowed = "a finite number, zero or more"
                raise InvalidInputError(f"calibration.{name}_offset_s", value, allowed)


AS_TABLED = Calibration()


class TableTimes:
    """`StepTimes` of two tables; `source` says which, for reports."""

    def __init__(
        self,
        prefill: Iterable[Point],
        decode: Iterable[Point],
        source: str,
        calibration: Calibration = AS_TABLED,
    ) -> None:
        """Check and prepare both tables.

        Args:
            prefill: (prompts, tokens of each, seconds of the batch); one prompt at two lengths or more.
            decode: (sequences, context of each, seconds of the step); two batches at one context or more.
            source: what the points are from, as errors and reports name it.
            calibration: applied to every point.

        Raises:
            InvalidInputError: names the source, what is wrong with it, and what is allowed.

        """
        self.source: str = source
        self._prefill: Grid = _prefill(prefill, f"{source}, prefill", calibration)
        self._decode: Grid = _decode(decode, f"{source}, decode", calibration)
        self._prompt_fixed_s: float = self._prefill.fixed_s
        self._shared_s: float = min(self._prefill.fixed_s, self._decode.fixed_s)

    def step_s(
        self, chunks: Sequence[tuple[int, int]], decoding: int, context_tokens: int
    ) -> float:
        """Seconds of one iteration; see `StepTimes` and the module's text."""
        seconds = 0.0
        if decoding:
            seconds = self._decode.row(decoding).at(context_tokens / decoding)
        if chunks:
            seconds += self._prompts_s(chunks)
            if decoding:
                seconds -= self._shared_s
        return seconds

    def decode_run(self, decoding: int, context_tokens: int, most: int) -> tuple[int, float, float]:
        """(iterations, first_s, slope_s) up to the edge of the cell of contexts; see `StepTimes`."""
        if not decoding:
            return most, 0.0, 0.0
        row = self._decode.row(decoding)
        context = context_tokens / decoding
        i = row.cell(context)
        slope_s = row.slopes[i]
        first_s = row.values[i] + slope_s * (context - row.knots[i])
        if i < row.last:
            inside = int(row.knots[i + 1] - context) + 1  # the edge belongs to both cells
            if inside < most:
                return inside, first_s, slope_s
        return most, first_s, slope_s

    def _prompts_s(self, chunks: Sequence[tuple[int, int]]) -> float:
        prompts = len(chunks)
        row: Line = self._prefill.row(prompts)
        rise_s = 0.0
        for start, end in chunks:
            rise_s += row.at(end) - (row.at(start) if start else self._prompt_fixed_s)
        return self._prompt_fixed_s + rise_s / prompts


def _prefill(points: Iterable[Point], source: str, calibration: Calibration) -> Grid:
    scale, offset_s = calibration.prefill_scale, calibration.prefill_offset_s
    checked = _calibrated(mean_points(points, source), scale, offset_s)
    alone = [(float(tokens), seconds) for batch, tokens, seconds in checked if batch == 1]
    if len(alone) <= 1:
        found = f"{len(alone)} points of one prompt"
        raise InvalidInputError(f"{source}, batch 1", found, "two lengths or more")
    fixed_s = origin_s(alone)
    return Grid([(1, 0, fixed_s), *checked], fixed_s)


def _decode(points: Iterable[Point], source: str, calibration: Calibration) -> Grid:
    scale, offset_s = calibration.decode_scale, calibration.decode_offset_s
    checked = _calibrated(mean_points(points, source), scale, offset_s)
    columns: dict[int, list[tuple[float, float]]] = {}
    for batch, tokens, seconds in checked:
        columns.setdefault(tokens, []).append((float(batch), seconds))
    for tokens in sorted(columns):
        if len(columns[tokens]) > 1:
            return Grid(checked, origin_s(columns[tokens]))
    raise InvalidInputError(f"{source}, batch", "one batch", "two batches or more at some context")


def _calibrated(points: list[Point], scale: float, offset_s: float) -> list[Point]:
    return [(batch, tokens, scale * seconds + offset_s) for batch, tokens, seconds in points]
