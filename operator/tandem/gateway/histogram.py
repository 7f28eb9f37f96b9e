"""Counters and histograms that cost one dictionary or list update; rendered when they are asked for."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString


class Histogram(Collector):
    """Observations under fixed upper edges; several equal ones cost as much as one."""

    def __init__(self, name: str, text: str, edges: Iterable[float]) -> None:
        self.name = name
        self._text = text
        self._edges = sorted(set(edges))
        self._counts = [0] * (len(self._edges) + 1)
        self._sum = 0.0

    def observe(self, value: float, times: int = 1) -> None:
        """Count a value; one that equals an edge lies under it."""
        self._counts[bisect_left(self._edges, value)] += times
        self._sum += value * times

    def collect(self) -> Iterator[Metric]:
        """The family in Prometheus' form: cumulative counts."""
        buckets, so_far = [], 0
        for edge, count in zip([*self._edges, float("inf")], self._counts, strict=True):
            so_far += count
            buckets.append((_le(edge), so_far))
        yield HistogramMetricFamily(self.name, self._text, buckets=buckets, sum_value=self._sum)


class Tally(Collector):
    """A counter per combination of label values."""

    def __init__(self, name: str, text: str, labels: Sequence[str] = ()) -> None:
        self.name = name
        self._text = text
        self._labels = labels
        self._counts: dict[tuple[str, ...], float] = {}

    def add(self, *values: str, amount: float = 1) -> None:
        """Count under these label values; an amount of 0 makes the series known."""
        self._counts[values] = self._counts.get(values, 0) + amount

    def collect(self) -> Iterator[Metric]:
        """The family in Prometheus' form."""
        family = CounterMetricFamily(
            self.name.removesuffix("_total"), self._text, labels=self._labels
        )
        for values, count in list(self._counts.items()):
            family.add_metric(values, count)
        yield family


def _le(edge: float) -> str:
    """An edge as Prometheus' clients write it: 0.05, 2.0, +Inf."""
    return str(floatToGoString(edge))  # type: ignore[no-untyped-call]
