"""Everything that the gateway counts, under the names of `cluster.series`."""

import time
from collections.abc import Iterable, Iterator
from enum import StrEnum

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from tandem.api.role import Role
from tandem.cluster import series
from tandem.gateway.arrivals import ArrivalCounts
from tandem.gateway.histogram import Histogram, Tally
from tandem.gateway.settings import Settings
from tandem.planner.lengths import representative
from tandem.routing.router import Router

# Seconds, three or four a decade; the SLO's targets are added to those that they bear on.
_TOKEN_EDGES = (
    0.001,
    0.0025,
    0.005,
    0.01,
    0.015,
    0.02,
    0.03,
    0.04,
    0.05,
    0.075,
    0.1,
    0.15,
    0.25,
    0.5,
    1,
    2.5,
)
_FIRST_EDGES = (0.01, 0.025, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1, 1.5, 2, 3, 5, 7.5, 10, 20, 30, 60)
_WAIT_EDGES = (0.001, 0.005, *_FIRST_EDGES)
_WHOLE_EDGES = (0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60, 120, 240, 480)


class Outcome(StrEnum):
    """What became of a request."""

    OK = "ok"
    REFUSED = "refused"  # 429 or 503: the fleet had no room or no pod in time
    CUT = "cut"  # it broke after its first token
    CANCELLED = "cancelled"  # the user left
    ERROR = "error"  # every try failed before its first token
    INVALID = "invalid"  # the user's mistake: a 4xx of ours or of the engine


JUDGED = frozenset({Outcome.OK, Outcome.REFUSED, Outcome.CUT, Outcome.ERROR})


class GatewayMetrics:
    """Counts of one gateway; `render` is its /metrics page."""

    def __init__(self, settings: Settings, router: Router) -> None:
        first = (*_FIRST_EDGES, settings.ttft_s)
        token = (*_TOKEN_EDGES, settings.tpot_s)
        self.ttft = Histogram(series.TTFT, "Arrival to first token, seconds.", first)
        self.tpot = Histogram(
            series.TPOT, "Mean time per output token after the first, seconds.", token
        )
        self.itl = Histogram(series.ITL, "Time between output tokens, seconds.", token)
        self.e2e = Histogram(series.E2E, "Arrival to last token, seconds.", _WHOLE_EDGES)
        self.queue = Histogram(
            series.QUEUE, "Waiting for a prefill pod, seconds.", (*_WAIT_EDGES, settings.ttft_s)
        )
        self.prefill_leg = Histogram(series.PREFILL_LEG, "Prefill leg, seconds.", _WAIT_EDGES)
        self.handover = Histogram(
            series.HANDOVER, "Decode leg sent to its first token, seconds.", _WAIT_EDGES
        )
        self.retries = Tally(series.RETRIES, "Tries on another pair.", ("leg", "reason"))
        self.releases = Tally(series.RELEASES, "Decode legs sent to let KV go.", ("outcome",))
        self.busy = PrefillBusy()
        self._finished = Tally(series.FINISHED, "Requests that ended.", ("outcome",))
        self._slo = Tally(series.SLO, "Requests judged by the SLO.", ("ttft", "tpot"))
        self._lengths = Tally(
            series.LENGTHS,
            "Answered requests by length bucket, tokens.",
            ("input", "cached", "output"),
        )
        self._prompts = Tally(
            series.PROMPTS, "Prefilled prompts by length bucket, tokens.", ("input", "cached")
        )
        self._arrivals = Arrivals()
        self._make_known()
        self._registry = CollectorRegistry()
        for collector in (
            self.ttft, self.tpot, self.itl, self.e2e, self.queue, self.prefill_leg, self.handover,
            self.retries, self.releases, self.busy, self._finished, self._slo, self._lengths,
            self._prompts, self._arrivals, Live(router),
        ):  # fmt: skip
            self._registry.register(collector)

    def arrived(self, now_s: float) -> None:
        """A request that can be served came in."""
        self._arrivals.arrived(now_s)

    def finished(self, outcome: Outcome, *, ttft_met: bool = False, tpot_met: bool = False) -> None:
        """A request ended; those that the user called off or got wrong are not judged."""
        self._finished.add(outcome)
        if outcome in JUDGED:
            self._slo.add(_met(ttft_met), _met(tpot_met))

    def prompt(self, input_tokens: int, cached_tokens: int) -> None:
        """Lengths of a prompt that was prefilled, also one that has to be once more."""
        self._prompts.add(*_buckets(input_tokens, cached_tokens))

    def lengths(self, input_tokens: int, cached_tokens: int, output_tokens: int) -> None:
        """Lengths of a request that got at least one token."""
        self._lengths.add(*_buckets(input_tokens, cached_tokens, output_tokens))

    def render(self) -> bytes:
        """The /metrics page."""
        return generate_latest(self._registry)

    def _make_known(self) -> None:
        """A series that appears late loses its first increase: those known now start at 0."""
        for outcome in Outcome:
            self._finished.add(outcome, amount=0)
        for ttft in (True, False):
            for tpot in (True, False):
                self._slo.add(_met(ttft), _met(tpot), amount=0)


class Arrivals(Collector):
    """The arrivals counter and the dispersion gauges; a dispersion not known yet is left out."""

    def __init__(self) -> None:
        self._total = 0
        self._counts = ArrivalCounts(time.monotonic())

    def arrived(self, now_s: float) -> None:
        """One request came in."""
        self._total += 1
        self._counts.arrived(now_s)

    def collect(self) -> Iterator[Metric]:
        """The families in Prometheus' form."""
        name = series.ARRIVALS.removesuffix("_total")
        yield CounterMetricFamily(name, "Requests that came in.", value=self._total)
        for name, width_s in ((series.DISPERSION, 1), (series.DISPERSION_10S, 10)):
            value = self._counts.dispersion(time.monotonic(), width_s)
            if value is not None:
                text = f"Variance over mean of arrivals per {width_s} s, last 120 s."
                yield GaugeMetricFamily(name, text, value=value)


class PrefillBusy(Collector):
    """Seconds with a prefill leg out, per pod; legs still out count up to now."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}
        self._since: dict[str, float] = {}

    def begin(self, pod: str, now_s: float) -> None:
        """A prefill leg goes out to a pod that has none."""
        self._since[pod] = now_s
        self._seconds.setdefault(pod, 0.0)

    def end(self, pod: str, now_s: float) -> None:
        """The leg is back."""
        self._seconds[pod] += now_s - self._since.pop(pod, now_s)

    def keep(self, pods: Iterable[str]) -> None:
        """Forget pods that are gone."""
        kept = {*pods, *self._since}
        self._seconds = {pod: self._seconds.get(pod, 0.0) for pod in kept}

    def collect(self) -> Iterator[Metric]:
        """The family in Prometheus' form."""
        name = series.PREFILL_BUSY.removesuffix("_total")
        family = CounterMetricFamily(
            name, "Seconds with a prefill leg out.", labels=(series.TARGET_POD,)
        )
        now_s = time.monotonic()
        for pod, seconds in self._seconds.items():
            family.add_metric((pod,), seconds + now_s - self._since.get(pod, now_s))
        yield family


class Live(Collector):
    """What waits and what is in flight at this moment, as the router knows it."""

    def __init__(self, router: Router) -> None:
        self._router = router

    def collect(self) -> Iterator[Metric]:
        """The families in Prometheus' form."""
        router = self._router
        text = "Requests that wait for a prefill pod."
        yield GaugeMetricFamily(series.QUEUED_REQUESTS, text, value=router.queued_requests)
        text = "Input tokens of the requests that wait."
        yield GaugeMetricFamily(series.QUEUED_TOKENS, text, value=router.queued_tokens)
        flight = GaugeMetricFamily(
            series.IN_FLIGHT, "Legs at a pod.", labels=("role", series.TARGET_POD)
        )
        pinned = GaugeMetricFamily(
            series.PINNED, "Prefilled, not pulled yet.", labels=(series.TARGET_POD,)
        )
        for role in Role:
            for load in router.loads(role):
                flight.add_metric((role, load.pod.name), len(load.tokens))
                if role is Role.PREFILL:
                    pinned.add_metric((load.pod.name,), len(load.pinned))
        yield flight
        yield pinned


def _buckets(*lengths: int) -> Iterator[str]:
    return (str(representative(tokens)) for tokens in lengths)


def _met(met: bool) -> str:  # noqa: FBT001 - the word for a truth value
    return "met" if met else "missed"
