"""Reading what a process exports: the Prometheus text format, and increases of counters."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from prometheus_client.parser import text_string_to_metric_families

Labels = tuple[tuple[str, str], ...]

_LABEL = re.compile(r'(\w+)="([^"]*)"')
_PLAIN = re.compile(r'([a-zA-Z_:][\w:]*)(?:\{((?:\w+="[^"\\]*",?)*)\})? ([^\s_]+)')


@dataclass(frozen=True, slots=True)
class Sample:
    """One value of one series."""

    name: str
    labels: Mapping[str, str]
    value: float


def samples(text: str, names: Iterable[str]) -> list[Sample]:
    """Samples of the named series only; the other lines are dropped before they are parsed.

    An engine exports some 700 lines, of which we read ten. A gateway's thousands of length counts are
    plain lines; what is not plain (an escape, a time) is left to the library.

    Raises:
        ValueError: a line of a named series is no exposition.

    """
    wanted = tuple(names)
    exact = set(wanted)
    found: list[Sample] = []
    for line in text.splitlines():
        if not line.startswith(wanted):
            continue
        plain = _PLAIN.fullmatch(line)
        rows = (
            [Sample(plain[1], dict(_LABEL.findall(plain[2] or "")), float(plain[3]))]
            if plain
            else _parsed(line)
        )
        found += [row for row in rows if row.name in exact]
    return found


def _parsed(line: str) -> list[Sample]:
    families = text_string_to_metric_families(f"{line}\n")
    return [Sample(s.name, s.labels, float(s.value)) for family in families for s in family.samples]


@dataclass(slots=True)
class Counters:
    """Last values of counters by target, to know by how much each grew."""

    _last: dict[str, dict[tuple[str, Labels], float]] = field(default_factory=dict)
    _looked: bool = False

    def increases(self, rows: Mapping[str, Iterable[Sample]]) -> list[tuple[str, Sample, float]]:
        """By how much each series of each target grew since the last look.

        The first look of all can't tell what is new, so it counts nothing; a series or a target that
        appears later counts from 0, and so does a series that fell, for its process was started anew.
        """
        grown = []
        for target, its_rows in rows.items():
            last = self._last.pop(target, {})
            self._last[target] = last  # those looked at last stand last
            grown += [(target, row, self._increase(row, last)) for row in its_rows]
        self._looked = True
        return grown

    def last(self, target: str, row: Sample) -> float:
        """The value of this series at the last look; 0 where it was not there."""
        return self._last.get(target, {}).get(_key(row), 0.0)

    def keep(self, most: int) -> None:
        """Forget the targets looked at longest ago until so many are left."""
        for target in list(self._last)[: max(0, len(self._last) - most)]:
            del self._last[target]

    def _increase(self, row: Sample, last: dict[tuple[str, Labels], float]) -> float:
        key = _key(row)
        before = last.get(key, 0.0 if self._looked else row.value)
        last[key] = row.value
        return row.value - before if row.value >= before else row.value


def _key(row: Sample) -> tuple[str, Labels]:
    return row.name, tuple(sorted(row.labels.items()))
