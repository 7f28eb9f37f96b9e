"""Everything that the operator exports, under the names of `cluster.series`.

Built anew at each scrape from what was told last, so a fleet that is gone has no series and a figure
that is missing has no sample.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from math import isfinite

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    Metric,
    SummaryMetricFamily,
)
from prometheus_client.registry import Collector

from tandem import __version__
from tandem.api.condition import ConditionState
from tandem.api.fleet_status import FleetStatus
from tandem.api.role import Role
from tandem.cluster import series
from tandem.controller.figures import oldest_s
from tandem.controller.loop import Tick
from tandem.controller.recent import interval_attainment
from tandem.controller.status import cost_per_hour
from tandem.planner.model import QUANTILES, Bottleneck, Prediction
from tandem.planner.observation import Missing, Traffic
from tandem.planner.spec import FleetSpec

LABELS = ("fleet_namespace", "fleet")
STATES = {ConditionState.TRUE: 1.0, ConditionState.FALSE: 0.0, ConditionState.UNKNOWN: -1.0}
Requests = Mapping[tuple[str, int], int]  # (verb, code) -> how many


@dataclass(frozen=True, slots=True)
class Gauge:
    """One gauge: its help text and the labels besides those of the fleet."""

    text: str
    labels: tuple[str, ...] = ()


GAUGES: Mapping[str, Gauge] = {
    series.DESIRED: Gauge("Replicas that were decided on.", ("role",)),
    series.READY: Gauge("Pods that take requests.", ("role",)),
    series.STARTING: Gauge("Pods on their way to Ready.", ("role",)),
    series.DRAINING: Gauge("Pods that finish what they have.", ("role",)),
    series.OPTIMAL: Gauge("Replicas that the policy wished for, before any limit.", ("role",)),
    series.ATTAINMENT: Gauge("Share that met both targets, last interval that had requests."),
    series.ATTAINMENT_TARGET: Gauge("Share that shall meet both targets."),
    series.TTFT_TARGET: Gauge("Target of the time to first token, seconds."),
    series.TPOT_TARGET: Gauge("Target of the time per output token, seconds."),
    series.PREDICTED_ATTAINMENT: Gauge("Share predicted to meet both targets."),
    series.PREDICTED_TTFT: Gauge("Predicted time to first token, seconds.", ("quantile",)),
    series.PREDICTED_TPOT: Gauge("Predicted time per output token, seconds.", ("quantile",)),
    series.UTILISATION: Gauge("Predicted share of a stage's capacity in use.", ("stage",)),
    series.BOTTLENECK: Gauge("1 for the stage that gives way first.", ("stage",)),
    series.COST: Gauge("Cost of all pods that are not yet gone, an hour."),
    series.CONDITION: Gauge("Conditions: 1 True, 0 False, -1 Unknown.", ("type",)),
    series.METRICS_AGE: Gauge("Age of the oldest figure of the last tick, seconds."),
}
Samples = Iterator[tuple[str, tuple[str, ...], float | None]]  # name, labels, value


@dataclass(slots=True)
class _Fleet:
    """What was told of one fleet; figures of its last whole tick."""

    spec: FleetSpec | None = None
    tick: Tick | None = None
    status: FleetStatus | None = None
    attainment: float | None = None
    decisions: Counter[tuple[Role, str]] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=lambda: [0.0, 0.0])  # how many, their sum


class OperatorMetrics(Collector):
    """The operator's exposition; `requests` gives the calls to the API server so far."""

    def __init__(self, requests: Callable[[], Requests] = dict) -> None:
        self._requests = requests
        self._fleets: dict[tuple[str, str], _Fleet] = {}

    def told(
        self,
        namespace: str,
        fleet: str,
        spec: FleetSpec | None,
        tick: Tick | None,
        status: FleetStatus,
        *,
        took_s: float | None = None,
    ) -> None:
        """One turn of a fleet, whole or failed; `tick` is None where none could be made."""
        kept = self._fleets.setdefault((namespace, fleet), _Fleet())
        kept.spec, kept.status = spec, status
        whole = tick if tick is not None and tick.observation and not tick.error else None
        kept.tick = whole
        kept.outcomes["error" if whole is None else "ok"] += 1
        if took_s is not None:
            kept.seconds = [kept.seconds[0] + 1, kept.seconds[1] + took_s]
        if whole is None or whole.observation is None:
            return
        kept.attainment = _attainment(whole.observation.traffic, kept.attainment)
        kept.decisions.update(
            (change.role, "up" if change.after > change.before else "down")
            for change in whole.changes
        )

    def forgotten(self, namespace: str, fleet: str) -> None:
        """The fleet is gone: so are its series."""
        self._fleets.pop((namespace, fleet), None)

    def collect(self) -> Iterator[Metric]:
        """The families in Prometheus' form."""
        fleets = list(self._fleets.items())
        gauges = {
            name: GaugeMetricFamily(name, gauge.text, labels=(*LABELS, *gauge.labels))
            for name, gauge in GAUGES.items()
        }
        for key, fleet in fleets:
            for name, labels, value in _samples(fleet):
                if value is not None and isfinite(value):
                    gauges[name].add_metric((*key, *labels), value)
        yield from gauges.values()
        yield from _counters(fleets)
        yield self._api_requests()
        build = GaugeMetricFamily(series.BUILD, "1, with the version.", labels=("version",))
        build.add_metric((__version__,), 1)
        yield build

    def _api_requests(self) -> Metric:
        family = _counter(series.API_REQUESTS, "Requests to the API server.", ("verb", "code"))
        for (verb, code), count in sorted(self._requests().items()):
            family.add_metric((verb, str(code)), count)
        return family


def _counter(name: str, text: str, labels: tuple[str, ...]) -> CounterMetricFamily:
    return CounterMetricFamily(name.removesuffix("_total"), text, labels=labels)


def _counters(fleets: list[tuple[tuple[str, str], _Fleet]]) -> Iterator[Metric]:
    decisions = _counter(series.DECISIONS, "Changes of replicas.", (*LABELS, "role", "direction"))
    ticks = _counter(series.TICKS, "Turns of a fleet's loop.", (*LABELS, "outcome"))
    seconds = SummaryMetricFamily(series.TICK_SECONDS, "Seconds of a turn.", labels=LABELS)
    for key, fleet in fleets:
        for role in Role:
            for direction in ("up", "down"):
                count = fleet.decisions[role, direction]
                decisions.add_metric((*key, role, direction), count)
        for outcome in ("ok", "error"):
            ticks.add_metric((*key, outcome), fleet.outcomes[outcome])
        if fleet.seconds[0]:
            seconds.add_metric(key, count_value=int(fleet.seconds[0]), sum_value=fleet.seconds[1])
    yield from (decisions, ticks, seconds)


def _attainment(traffic: Traffic, before: float | None) -> float | None:
    """That of the interval; the one before where no request ended, none where nobody counted."""
    if isinstance(traffic.finished, Missing) or isinstance(traffic.met_both, Missing):
        return None
    share = interval_attainment(traffic)
    return before if share is None else share


def _samples(fleet: _Fleet) -> Samples:
    if fleet.spec is not None:
        yield series.ATTAINMENT_TARGET, (), fleet.spec.slo.attainment
        yield series.TTFT_TARGET, (), fleet.spec.slo.ttft_s
        yield series.TPOT_TARGET, (), fleet.spec.slo.tpot_s
    for condition in fleet.status.conditions if fleet.status else ():
        yield series.CONDITION, (condition.type,), STATES[condition.status]
    if fleet.tick is not None:
        yield series.ATTAINMENT, (), fleet.attainment
        yield from _of_tick(fleet.tick, fleet.spec)


def _of_tick(tick: Tick, spec: FleetSpec | None) -> Samples:
    seen, plan = tick.observation, tick.plan
    assert seen is not None
    for role, pods in seen.pods.items():
        yield series.READY, (role,), pods.ready
        yield series.STARTING, (role,), pods.starting
        yield series.DRAINING, (role,), pods.draining
    yield series.METRICS_AGE, (), oldest_s(seen.traffic)
    yield series.COST, (), None if spec is None else cost_per_hour(seen, spec)
    if plan is None:
        return
    for role, decision in plan.roles.items():
        yield series.DESIRED, (role,), decision.target
        yield series.OPTIMAL, (role,), decision.unclamped
    if plan.prediction is not None:
        yield from _of_prediction(plan.prediction)


def _of_prediction(prediction: Prediction) -> Samples:
    yield series.PREDICTED_ATTAINMENT, (), prediction.attainment
    for name, values in (
        (series.PREDICTED_TTFT, prediction.ttft_s),
        (series.PREDICTED_TPOT, prediction.tpot_s),
    ):
        for at, value_s in zip(QUANTILES, values, strict=True):
            yield name, (str(at),), value_s
    for stage, share in prediction.utilisation.items():
        yield series.UTILISATION, (stage,), share
    for stage in Bottleneck:
        yield series.BOTTLENECK, (stage.value,), float(stage is prediction.bottleneck)
