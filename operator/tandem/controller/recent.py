"""Requests that ended within the last minutes: one look has too few to tell attainment by."""

from dataclasses import dataclass
from math import isfinite

from tandem.controller.loop import Tick
from tandem.planner.observation import Figure, Traffic

WINDOW_S = 300.0
SLOT_S = 5.0  # looks that are closer together share a row


@dataclass(frozen=True, slots=True)
class Recent:
    """Rows (time s, requests that ended, how many of them met both targets), oldest first."""

    rows: tuple[tuple[float, float, float], ...] = ()

    def after(self, tick: Tick) -> "Recent":
        """With what one more tick saw; a tick that failed or missed the figures adds nothing."""
        if tick.observation is None:
            return self
        now_s = tick.observation.now_s
        kept = tuple(row for row in self.rows if now_s - WINDOW_S < row[0] <= now_s)
        ended = _ended(tick.observation.traffic)
        if ended is None or not ended[0]:
            return Recent(kept)
        if kept and now_s - kept[-1][0] < SLOT_S:
            *kept_rows, (time_s, finished, met) = kept
            return Recent((*kept_rows, (time_s, finished + ended[0], met + ended[1])))
        return Recent((*kept, (now_s, *ended)))

    @property
    def finished(self) -> float:
        """Requests that ended."""
        return sum(row[1] for row in self.rows)

    @property
    def attainment(self) -> float | None:
        """Share that met both targets; None while no request ended."""
        finished = self.finished
        return sum(row[2] for row in self.rows) / finished if finished > 0 else None


def interval_attainment(traffic: Traffic) -> float | None:
    """The share of one interval alone; None where no request ended or nobody counted."""
    ended = _ended(traffic)
    return ended[1] / ended[0] if ended and ended[0] else None


def _ended(traffic: Traffic) -> tuple[float, float] | None:
    """Requests that ended and those that met both; None where missing or impossible."""
    finished, met = traffic.finished, traffic.met_both
    if not (isinstance(finished, Figure) and isinstance(met, Figure)):
        return None
    if not (isfinite(finished.value) and 0 <= met.value <= finished.value):
        return None
    return finished.value, met.value
