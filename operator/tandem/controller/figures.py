"""Figures of a tick by their names: which are exact, which are bounds, which are missing."""

from math import isfinite

from tandem.api.fleet_status import Exactness, MissingFigure
from tandem.planner.figures import readings
from tandem.planner.observation import Figure, Missing, Traffic


def exactness(traffic: Traffic, stale_after_s: float) -> Exactness:
    """How far each figure can be trusted."""
    exact: list[str] = []
    bounds: list[str] = []
    missing: list[MissingFigure] = []
    for name, reading in readings(traffic):
        if isinstance(reading, Missing):
            missing.append(MissingFigure(figure=name, reason=reading.reason))
        elif reading.age_s > stale_after_s:
            missing.append(MissingFigure(figure=name, reason=f"{reading.age_s:.0f} s old"))
        else:
            (exact if reading.exact else bounds).append(name)
    return Exactness(exact=tuple(exact), bounds=tuple(bounds), missing=tuple(missing))


def oldest_s(traffic: Traffic) -> float | None:
    """Age of the oldest figure that is there; None where none is."""
    ages = [r.age_s for _, r in readings(traffic) if isinstance(r, Figure) and isfinite(r.age_s)]
    return max(ages, default=None)
