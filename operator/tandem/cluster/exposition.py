"""Reading what a process exports: the Prometheus text format, and increases of counters."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from prometheus_client.parser import text_string_to_metric_families

Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Sample:
    """One value of one series."""

    name: str
    labels: Mapping[str, str]
    value: float


def samples(text: str, names: Iterable[str]) -> list[Sample]:
    """Samples of the named series only; the other lines are dropped before they are parsed.

    An engine exports some 700 lines, of which we read ten.
    """
    wanted = tuple(names)
    lines = [line for line in text.splitlines() if line.startswith(wanted)]
    families = text_string_to_metric_families("\n".join(lines) + "\n")
    exact = set(wanted)
    return [
        Sample(sample.name, sample.labels, float(sample.value))
        for family in families
        for sample in family.samples
        if sample.name in exact
    ]


@dataclass(slots=True)
class Counters:
    """Last values of one target's counters, to know by how much each grew."""

    _last: dict[tuple[str, Labels], float] = field(default_factory=dict)
    _looked: bool = False

    def increases(self, rows: Iterable[Sample]) -> list[tuple[Sample, float]]:
        """By how much each grew since the last look.

        The first look can't tell what is new, so it counts nothing; a series that appears later counts
        from 0, and so does one that fell, for its process was started anew.
        """
        grown = [(row, self._increase(row)) for row in rows]
        self._looked = True
        return grown

    def _increase(self, row: Sample) -> float:
        key = (row.name, tuple(sorted(row.labels.items())))
        before = self._last.get(key, 0.0 if self._looked else row.value)
        self._last[key] = row.value
        return row.value - before if row.value >= before else row.value
