"""Which readings may be believed: fresh, finite, not negative, and of a size that exists.

The limits are far above any fleet: they catch what a broken exporter says, not what a busy one does.
"""

from math import isfinite

from tandem.planner.observation import Figure, Missing, Reading

MOST_RATE_RPS = 1e5
MOST_REQUESTS = 1e6  # in flight, in a queue, or of one length in an interval
MOST_TOKENS = 1e8  # queued
MOST_LENGTH = 1e7  # of one request
MOST_DISPERSION = 1e4
MOST_SHARE = 10.0  # of a capacity; over 1 where demand is set against it
MOST_INTERVAL_S = 3600.0


def usable(reading: Reading | None, most: float, stale_after_s: float) -> float | Missing:
    """The value of a reading that can be believed, or why it can't."""
    if reading is None:
        return Missing("not read")
    if isinstance(reading, Missing):
        return reading
    if not (is_plausible(reading.value, most) and reading.age_s >= 0):
        return Missing(f"{reading.value:g} is no plausible value")
    if reading.age_s > stale_after_s:
        return Missing(f"{reading.age_s:.0f} s old")
    return float(reading.value)


def known(reading: Reading | None, most: float, stale_after_s: float, otherwise: float) -> float:
    """The value of a reading that can be believed, else another number that stands for not knowing."""
    value = usable(reading, most, stale_after_s)
    return otherwise if isinstance(value, Missing) else value


def is_plausible(value: float, most: float) -> bool:
    """Whether a number is finite and between zero and the most that exists."""
    return isfinite(value) and 0 <= value <= most


def age_s(reading: Reading) -> float:
    """How old a figure is; nothing is as old as what is missing."""
    return reading.age_s if isinstance(reading, Figure) else float("inf")
