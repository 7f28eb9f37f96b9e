"""Demand that is known in advance: a floor of replicas at given times."""

from collections.abc import Mapping
from typing import ClassVar

from tandem.api.base import ApiModel, Rule
from tandem.api.role import Role
from tandem.api.role_spec import Count
from tandem.api.scalars import CronLine, Duration, TimeZone


class Schedule(ApiModel):
    """A floor of replicas, from each moment of a cron line on."""

    cron: CronLine
    """When the floor's replicas shall be Ready, such as 0 9 * * 1-5: minute, hour, day of the month,
    month, day of the week. They are asked for earlier, by the time that a role's pods take to start.
    A time that the zone's clock skips in spring is the moment at which it skips, one that it shows
    twice in autumn is the first."""

    timezone: TimeZone = "UTC"
    """Zone of the clock that cron is read by, such as Europe/Berlin."""

    lasts: Duration
    """Time from that moment on for which the floor holds, such as 8h."""

    prefill_min: Count | None = None
    """Fewest prefill replicas meanwhile; no more than replicas.max."""

    decode_min: Count | None = None
    """Fewest decode replicas meanwhile; no more than replicas.max."""

    @property
    def floors(self) -> Mapping[Role, int]:
        """Fewest replicas, of the roles of which something is said."""
        both = {Role.PREFILL: self.prefill_min, Role.DECODE: self.decode_min}
        return {role: floor for role, floor in both.items() if floor is not None}

    def has_a_floor(self) -> bool:
        """Whether it asks for anything."""
        return bool(self.floors)

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            field="cron",
            allowed="moments of a floor: prefillMin, decodeMin or both beside it",
            cel="has(self.prefillMin) || has(self.decodeMin)",
            holds=has_a_floor,
        ),
    )
