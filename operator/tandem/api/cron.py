"""Cron lines: the moments that a line of five fields names on the clock of a time zone.

A line is read as Debian's cron reads it (by cronsim). Where clocks are put forward, a time that is skipped
is the moment of the skip; where they are put back, a time that comes twice is the first. A line that leaves
minute or hour open goes by what the clock shows, both times.
"""

from bisect import bisect_right
from datetime import UTC, datetime
from functools import lru_cache
from itertools import dropwhile, takewhile

PATTERN = r"^[-0-9A-Za-z*/,#]+( [-0-9A-Za-z*/,#]+){4}$"
DAY_S = 86400.0
LATEST_S = 1e11  # seconds since 1970: the year 5138, well before the last that a calendar has


def is_line(text: str) -> bool:
    """Whether it is a line that some moment of the next decades meets."""
    from cronsim import CronSim, CronSimError  # noqa: PLC0415 - only for those who have a schedule

    try:
        return next(CronSim(text, datetime(2026, 1, 1, tzinfo=UTC)), None) is not None
    except CronSimError:
        return False


def is_zone(name: str) -> bool:
    """Whether the time zone database knows it."""
    from zoneinfo import ZoneInfo  # noqa: PLC0415 - likewise

    try:
        return bool(ZoneInfo(name).key)
    except (KeyError, ValueError, OSError):  # OSError: a folder of zones
        return False


def latest(line: str, timezone: str, after_s: float, until_s: float) -> float | None:
    """The last moment of a line after one time, up to another, in seconds since 1970; None where there is none."""
    if not 0 <= until_s < LATEST_S:
        return None
    for day in range(int(until_s // DAY_S), int(max(after_s, 0.0) // DAY_S) - 1, -1):
        moments = _moments(line, timezone, day)
        if passed := bisect_right(moments, until_s):
            found = moments[passed - 1]
            return found if found > after_s else None
    return None


@lru_cache(maxsize=4096)
def _moments(line: str, timezone: str, day: int) -> tuple[float, ...]:
    """All moments within a day of UTC, as days since 1970; so a look at every tick costs next to nothing.

    Sought from a second before: a moment counts that comes later than where the search starts. The clock
    alone does not tell the second of two equal times from the first, so what comes too early is passed over.
    """
    from zoneinfo import ZoneInfo  # noqa: PLC0415 - likewise

    from cronsim import CronSim  # noqa: PLC0415

    begin_s, end_s = day * DAY_S, (day + 1) * DAY_S
    before = datetime.fromtimestamp(begin_s - 1, UTC).astimezone(ZoneInfo(timezone))
    found = (moment.timestamp() for moment in CronSim(line, before))
    since = dropwhile(lambda moment_s: moment_s < begin_s, found)
    return tuple(takewhile(lambda moment_s: moment_s < end_s, since))
