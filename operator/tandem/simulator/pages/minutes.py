"""A run minute by minute: what came, what met its targets, where the time went.

A request belongs to the minute of its arrival, whenever it ended.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tandem.simulator.pages import wording
from tandem.simulator.pages.columns import Codes, Floats, Requests
from tandem.simulator.pages.verdicts import MET, REASONS, ttft_parts

MINUTE_S = 60.0
_MOST = 1500  # intervals of one page: beyond a day a minute would be less than a pixel
_WIDTHS = (1, 2, 5, 10, 15, 30, 60)  # minutes


@dataclass(frozen=True, slots=True)
class Minutes:
    """Columns with an entry for each interval of `width_s`; a mean of nothing is NaN."""

    width_s: float
    begin_s: Floats
    arrivals: NDArray[np.int64]
    by_reason: NDArray[np.int64]  # a row for each of REASONS
    ttft_parts_s: Floats  # means, a row for each of PARTS
    tpot_s: Floats  # means

    @property
    def unit(self) -> str:
        """What an interval is called, in the plural."""
        return (
            "minutes" if self.width_s == MINUTE_S else f"intervals of {wording.clock(self.width_s)}"
        )

    @property
    def missed(self) -> NDArray[np.int64]:
        """Arrivals that did not meet both targets."""
        missed: NDArray[np.int64] = self.arrivals - self.by_reason[MET]
        return missed

    @property
    def attainment(self) -> Floats:
        """Share of an interval's arrivals that met both targets."""
        return _ratio(self.by_reason[MET], self.arrivals)

    def worst(self, most: int) -> Iterator[int]:
        """Intervals with most missed arrivals, the worst first; none where all met."""
        order = np.argsort(-self.missed, kind="stable")[:most]
        return (int(index) for index in order if self.missed[index])

    def main_reason(self, index: int) -> str:
        """What most of an interval's misses have in common."""
        code = 1 + int(np.argmax(self.by_reason[1:, index]))
        return REASONS[code]


def minutes(requests: Requests, verdicts: Codes, duration_s: float) -> Minutes:
    """Count and average by interval of arrival: a minute, or more of them in a run of days."""
    width_s = _width_s(duration_s)
    count = max(1, int(np.ceil(duration_s / width_s)))
    where = np.minimum((requests.arrival_s / width_s).astype(np.int64), count - 1)
    cells = np.bincount(verdicts.astype(np.int64) * count + where, minlength=len(REASONS) * count)
    return Minutes(
        width_s=width_s,
        begin_s=np.arange(count, dtype=np.float64) * width_s,
        arrivals=np.bincount(where, minlength=count),
        by_reason=cells.reshape(len(REASONS), count),
        ttft_parts_s=np.array([_mean(part, where, count) for part in ttft_parts(requests)]),
        tpot_s=_mean(requests.tpot_s, where, count),
    )


def _width_s(duration_s: float) -> float:
    fitting = (width * MINUTE_S for width in _WIDTHS if duration_s <= width * MINUTE_S * _MOST)
    return next(fitting, duration_s / _MOST)


def _mean(values: Floats, where: NDArray[np.int64], count: int) -> Floats:
    known = ~np.isnan(values)
    total = np.bincount(where[known], weights=values[known], minlength=count)
    return _ratio(total, np.bincount(where[known], minlength=count))


def _ratio(over: Floats | NDArray[np.int64], under: NDArray[np.int64]) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(under > 0, over / under, np.nan)
