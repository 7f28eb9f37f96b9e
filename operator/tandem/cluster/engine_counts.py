"""What engines counted (tokens, transfers of KV), told by how much their own counters grew."""

from collections.abc import Mapping

from tandem.cluster.growth import Look, finite
from tandem.planner.observation import Figure, Missing, Reading


class EngineCounts:
    """Remembers what each engine had counted, to tell what all of them counted since."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._totals: dict[str, float | None] | None = None  # by pod; None of one never read

    def grown(
        self, looks: Mapping[str, Look | Missing], interval_s: float, *, whole: bool
    ) -> Reading:
        """The increase since the last look; 0 where no time passed since, and at the first one.

        A pod that is new counts from 0. It is a lower bound where not all were read, before or now, where
        one is gone or was started anew, and where the caller knows of others (`whole` is False).
        """
        read = {pod: look for pod, look in looks.items() if isinstance(look, Look)}
        totals = {
            pod: total for pod, look in read.items() if (total := self._total(look)) is not None
        }
        if not totals:
            return _why_not(looks, self._name)
        age_s = max(read[pod].age_s for pod in totals)
        before = self._totals
        if before is not None and not interval_s:
            return Figure(0.0, age_s)
        self._totals = {pod: totals.get(pod, (before or {}).get(pod)) for pod in looks}
        if before is None:
            return Figure(0.0, age_s)
        since = {pod: before.get(pod, 0.0) for pod in totals}
        grown = sum(_increase(since[pod], total) for pod, total in totals.items())
        known = all(last is not None and last <= totals[pod] for pod, last in since.items())
        all_read = len(totals) == len(looks) and before.keys() <= totals.keys()
        return Figure(grown, age_s, exact=whole and known and all_read)

    def _total(self, look: Look) -> float | None:
        """Of all engines of a pod."""
        values = [row.value for row in finite(look.rows) if row.name == self._name]
        return sum(values) if values else None


def _increase(last: float | None, total: float) -> float:
    """What was added since; a process that was started anew counts from 0."""
    if last is None:
        return 0.0
    return total - last if total >= last else total


def _why_not(looks: Mapping[str, Look | Missing], name: str) -> Missing:
    lacks = [look for look in looks.values() if isinstance(look, Missing)]
    if lacks:
        return lacks[0]
    return Missing(
        f"an engine has no {name} that is a number" if looks else "no decode pod was ready"
    )
