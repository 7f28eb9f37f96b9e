"""Schedules: floors that are known in advance, asked for early enough to be Ready when their time comes.

A floor stands from a role's lead time, and one look of the planner, before a moment of its cron line until it
has lasted. Of several the highest counts. `now_s` is seconds since 1970, as the operator's clock tells it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from math import isfinite

from tandem.api import cron
from tandem.api.role import Role
from tandem.planner.spec import FleetSpec, Schedule


@dataclass(frozen=True, slots=True)
class Floor:
    """Fewest replicas of a role now: whose they are, and the moment at which they shall be Ready."""

    replicas: int
    schedule: Schedule
    begins_s: float

    @property
    def reason(self) -> str:
        """In words, on the schedule's own clock."""
        from zoneinfo import ZoneInfo  # noqa: PLC0415 - only for those who have a schedule

        named, zone = self.schedule, ZoneInfo(self.schedule.timezone)
        begin, end = (
            f"{datetime.fromtimestamp(at_s, zone):%Y-%m-%d %H:%M}"
            for at_s in (self.begins_s, self.begins_s + named.lasts_s)
        )
        return f"schedule {named.cron} ({named.timezone}): ready from {begin} to {end}"


def floor(spec: FleetSpec, role: Role, now_s: float, above: int = 0) -> Floor | None:
    """The highest floor of a role that stands now, of those above so many replicas."""
    standing = _standing(spec, role, now_s, above)
    return max(standing, key=lambda each: each.replicas, default=None)


def _standing(spec: FleetSpec, role: Role, now_s: float, above: int) -> Iterator[Floor]:
    if not isfinite(now_s):
        return
    until_s = now_s + spec.roles[role].lead_time_s + spec.interval_s
    for each in spec.schedules:
        least = each.floors.get(role, 0)
        if least > above:
            begins_s = cron.latest(each.cron, each.timezone, now_s - each.lasts_s, until_s)
            if begins_s is not None:
                yield Floor(least, each, begins_s)
