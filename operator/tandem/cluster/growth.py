"""What gateways counted between two looks: summed over replicas, over the time that their samples span.

An interval is the difference of the samples' own times, never of our looks: who looks twice at one
scrape has learnt nothing, and who looks at half of the replicas would take half of the traffic for all.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from math import isfinite

from tandem.cluster import series
from tandem.cluster.exposition import Counters, Sample
from tandem.planner.observation import Missing

SUMS = {name: f"{name}_sum" for name in (series.TTFT, series.TPOT)}  # of histograms
COUNTS = {name: f"{name}_count" for name in (series.TTFT, series.TPOT)}
COUNTERS = frozenset({
    series.ARRIVALS,
    series.SLO,
    series.LENGTHS,
    series.PROMPTS,
    series.PREFILL_BUSY,
    *SUMS.values(),
    *COUNTS.values(),
})  # fmt: skip
GAUGES = frozenset({
    series.DISPERSION,
    series.QUEUED_REQUESTS,
    series.QUEUED_TOKENS,
    series.IN_FLIGHT,
})  # fmt: skip
GATEWAY = (*sorted(COUNTERS), *sorted(GAUGES))

MOST_TARGETS = 64  # remembered, so that one that comes back goes on from where it was
MOST_BACK_S = 60.0  # a clock that goes further back than this was set anew


@dataclass(frozen=True, slots=True)
class Look:
    """What one process said at `at_s`, on any clock of the samples; `age_s` is how long ago that was."""

    rows: Sequence[Sample]
    at_s: float
    age_s: float = 0.0


@dataclass(slots=True)
class Growth:
    """Increases of counters within `interval_s`, and gauges now; 0 s where there is no newer sample.

    `exact` is false where a process went or was started anew in between: what it counted last is lost.
    """

    interval_s: float = 0.0
    age_s: float = 0.0
    exact: bool = True
    replicas: int = 1
    totals: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    met: dict[tuple[str, str], float] = field(default_factory=lambda: defaultdict(float))
    cells: dict[tuple[int, int, int], float] = field(default_factory=lambda: defaultdict(float))
    prompts: dict[tuple[int, int, int], float] = field(default_factory=lambda: defaultdict(float))
    tells_prompts: bool = False
    gauges: dict[str, float] = field(default_factory=dict)
    in_flight: dict[str, float] = field(default_factory=lambda: defaultdict(float))


class GatewayCounts:
    """Remembers what each gateway had counted, to tell what all of them counted since."""

    def __init__(self) -> None:
        self._counters = Counters()
        self._at_s: dict[str, float] = {}  # of the samples that were counted last
        self._weights: dict[str, float] = {}  # arrivals of each gateway in the last interval

    def grown(self, seen: Mapping[str, Look | Missing]) -> Growth | Missing:
        """What was counted since the last look that had newer samples of every gateway.

        A gateway that was counted before and can't be read now makes the sum unknown. One never
        counted is waited for: it may be starting, and all it counts comes with its first look.
        """
        read = {target: _checked(target, look) for target, look in seen.items()}
        looks = {target: look for target, look in read.items() if isinstance(look, Look)}
        for target, look in read.items():
            if isinstance(look, Missing) and (target in self._at_s or not looks):
                return look
        if not looks:
            return Missing("no gateway was there to read")
        growth = Growth(age_s=max(look.age_s for look in looks.values()), replicas=len(looks))
        if self._has_newer(looks):
            self._count(growth, looks)
        _add_gauges(growth, looks, self._weights)
        return growth

    def _has_newer(self, looks: Mapping[str, Look]) -> bool:
        """Whether every gateway that was counted before has a newer sample; a clock set back has."""
        gone_s = [self._at_s[t] - look.at_s for t, look in looks.items() if t in self._at_s]
        if any(back_s > MOST_BACK_S for back_s in gone_s):
            self._at_s.clear()
            return True
        return all(back_s < 0 for back_s in gone_s)

    def _count(self, growth: Growth, looks: Mapping[str, Look]) -> None:
        growth.interval_s = self._interval_s(looks)
        growth.exact = self._at_s.keys() <= looks.keys()
        rows = {t: [r for r in look.rows if r.name in COUNTERS] for t, look in looks.items()}
        growth.exact &= not any(
            row.value < self._counters.last(target, row) for target in rows for row in rows[target]
        )
        for target, row, increase in self._counters.increases(rows):
            if increase:
                _add(growth, row, increase)
            growth.tells_prompts |= row.name == series.PROMPTS
            if row.name == series.ARRIVALS:
                self._weights[target] = increase
        self._counters.keep(max(MOST_TARGETS, len(looks)))
        self._at_s = {target: look.at_s for target, look in looks.items()}

    def _interval_s(self, looks: Mapping[str, Look]) -> float:
        """Mean over the gateways counted before, so that intervals add up; 0 at the first look."""
        if not self._at_s:
            return 0.0
        spans = [look.at_s - self._at_s[t] for t, look in looks.items() if t in self._at_s]
        if spans:
            return sum(spans) / len(spans)
        return max(0.0, max(x.at_s for x in looks.values()) - max(self._at_s.values()))


def finite(rows: Sequence[Sample]) -> list[Sample]:
    """Those rows whose value is a number: NaN and Inf would spoil every sum that they get into."""
    return [row for row in rows if isfinite(row.value)]


def _checked(target: str, look: Look | Missing) -> Look | Missing:
    if isinstance(look, Missing):
        return look
    rows = finite(look.rows)
    if any(row.name == series.ARRIVALS for row in rows):
        return Look(rows, look.at_s, look.age_s)
    return Missing(f"{target} has no {series.ARRIVALS} that is a number: is it Tandem's gateway?")


def _add(growth: Growth, row: Sample, increase: float) -> None:
    growth.totals[row.name] += increase
    if row.name == series.SLO:
        growth.met[row.labels.get("ttft", ""), row.labels.get("tpot", "")] += increase
    elif row.name in (series.LENGTHS, series.PROMPTS):
        cells = growth.cells if row.name == series.LENGTHS else growth.prompts
        labels = {"output": "1", **row.labels}  # of a prompt it is not known yet
        with suppress(KeyError, ValueError):  # what is no length is none
            cell = int(labels["input"]), int(labels["cached"]), int(labels["output"])
            cells[cell] += increase


def _add_gauges(growth: Growth, looks: Mapping[str, Look], arrivals: Mapping[str, float]) -> None:
    """What waits and what is in flight adds up; dispersion is a mean by arrivals.

    Counts of independent streams have variances and means that add up, hence V/M = Σ mᵢ(V/M)ᵢ / Σ mᵢ.
    """
    burst, weight = 0.0, 0.0
    for target, look in looks.items():
        share = 1e-9 + max(0.0, arrivals.get(target, 0.0))
        for row in look.rows:
            if row.name == series.IN_FLIGHT:
                growth.in_flight[row.labels.get(series.TARGET_POD, "")] += row.value
            elif row.name == series.DISPERSION:
                burst, weight = burst + share * row.value, weight + share
            elif row.name in GAUGES:
                growth.gauges[row.name] = growth.gauges.get(row.name, 0.0) + row.value
    if weight:
        growth.gauges[series.DISPERSION] = burst / weight
