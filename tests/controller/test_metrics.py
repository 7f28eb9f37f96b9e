import re
from pathlib import Path
from types import MappingProxyType

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from tests.controller.builders import FAILED, NOW, change, fleet, plan, tick
from tests.planner.builders import ENGINE, D, P, costing, spec

from tandem.api.fleet_status import FleetStatus
from tandem.cluster import series
from tandem.controller.loop import Tick
from tandem.controller.metrics import OperatorMetrics
from tandem.controller.status import fleet_status
from tandem.planner.model import Memory
from tandem.planner.observation import Figure, Missing

SPEC = spec(profile=costing(ENGINE, cost_per_hour=2.5))
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]
REQUESTS = MappingProxyType({("PUT", 200): 3, ("PUT", 409): 1})


def exported(metrics: OperatorMetrics) -> Samples:
    registry = CollectorRegistry()
    registry.register(metrics)
    page = generate_latest(registry).decode()
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }


def of_chat(samples: Samples, name: str, **labels: str) -> float | None:
    labels |= {"fleet_namespace": "team", "fleet": "chat"}
    return samples.get((name, frozenset(labels.items())))


def status(made: Tick) -> FleetStatus:
    return fleet_status(fleet(), made, None, 1, NOW)


def told(*ticks: Tick, took_s: float | None = None) -> OperatorMetrics:
    metrics = OperatorMetrics(lambda: REQUESTS)
    for made in ticks:
        metrics.told("team", "chat", SPEC, made, status(made), took_s=took_s)
    return metrics


WHOLE = tick(changes=[change(P, 2, 3), change(D, 5, 4)])


@pytest.mark.parametrize(
    ("name", "labels", "value"),
    [
        (series.DESIRED, {"role": "prefill"}, 3),
        (series.READY, {"role": "prefill"}, 2),
        (series.STARTING, {"role": "prefill"}, 1),
        (series.DRAINING, {"role": "decode"}, 1),
        (series.OPTIMAL, {"role": "decode"}, 5),
        (series.ATTAINMENT, {}, 0.995),
        (series.ATTAINMENT_TARGET, {}, 0.99),
        (series.TTFT_TARGET, {}, 1.0),
        (series.TPOT_TARGET, {}, 0.03),
        (series.PREDICTED_ATTAINMENT, {}, 0.995),
        (series.PREDICTED_TTFT, {"quantile": "0.95"}, 0.45),
        (series.PREDICTED_TPOT, {"quantile": "0.5"}, 0.02),
        (series.UTILISATION, {"stage": "prefill"}, 0.6),
        (series.BOTTLENECK, {"stage": "decodeCompute"}, 1),
        (series.BOTTLENECK, {"stage": "kvTransfer"}, 0),
        (series.COST, {}, 20.0),
        (series.DECISIONS, {"role": "prefill", "direction": "up"}, 1),
        (series.DECISIONS, {"role": "decode", "direction": "down"}, 1),
        (series.DECISIONS, {"role": "decode", "direction": "up"}, 0),
        (series.CONDITION, {"type": "Ready"}, 1),
        (series.CONDITION, {"type": "Paused"}, 0),
        (series.METRICS_AGE, {}, 0),
        (series.TICKS, {"outcome": "ok"}, 1),
        (series.TICKS, {"outcome": "error"}, 0),
        (f"{series.TICK_SECONDS}_sum", {}, 0.25),
        (f"{series.TICK_SECONDS}_count", {}, 1),
    ],
)
def test_a_whole_tick_is_exported(name: str, labels: dict[str, str], value: float) -> None:
    assert of_chat(exported(told(WHOLE, took_s=0.25)), name, **labels) == value


def test_requests_and_the_version_have_no_fleet() -> None:
    samples = exported(told())

    codes = {code: frozenset({("verb", "PUT"), ("code", code)}) for code in ("200", "409")}
    assert samples[series.API_REQUESTS, codes["200"]] == 3
    assert samples[series.API_REQUESTS, codes["409"]] == 1
    assert [value for (name, _), value in samples.items() if name == series.BUILD] == [1]


def test_every_series_of_the_operator_is_exported_and_no_other() -> None:
    text = Path(series.__file__).read_text(encoding="utf-8")
    _, _, of_operator = text.partition("# What the operator exports")
    listed = set(re.findall(r'^[A-Z_]+ = "(\w+)"', of_operator, flags=re.MULTILINE))

    names = {name for name, _ in exported(told(WHOLE, took_s=0.25))}

    assert listed
    assert {name.removesuffix("_sum").removesuffix("_count") for name in names} == listed


def test_a_fleet_that_is_gone_has_no_series() -> None:
    metrics = told(WHOLE)
    metrics.told("team", "code", SPEC, WHOLE, status(WHOLE))
    metrics.forgotten("team", "chat")
    metrics.forgotten("team", "never-there")

    fleets = {dict(labels).get("fleet") for _, labels in exported(metrics)}
    assert fleets == {None, "code"}


@pytest.mark.parametrize(
    "name",
    [
        series.ATTAINMENT,
        series.PREDICTED_ATTAINMENT,
        series.PREDICTED_TTFT,
        series.UTILISATION,
        series.BOTTLENECK,
        series.TICK_SECONDS,
    ],
)
def test_a_figure_that_is_missing_has_no_sample(name: str) -> None:
    blind = tick(
        planned=plan(prediction=None, memory=Memory()),
        finished=Missing("no gateway"),
        met_both=Missing("no gateway"),
    )
    assert not [key for key in exported(told(blind)) if key[0].startswith(name)]


def test_a_figure_without_end_has_no_sample() -> None:
    samples = exported(told(WHOLE))

    assert of_chat(samples, series.PREDICTED_TPOT, quantile="0.99") is None
    assert of_chat(samples, series.UTILISATION, stage="kv") is None


def test_a_price_that_nobody_said_has_no_sample() -> None:
    metrics = OperatorMetrics()
    metrics.told("team", "chat", spec(), WHOLE, status(WHOLE))

    assert of_chat(exported(metrics), series.COST) is None


def test_a_tick_that_failed_counts_as_one_and_shows_no_old_figures() -> None:
    samples = exported(told(WHOLE, FAILED))

    assert of_chat(samples, series.TICKS, outcome="error") == 1
    assert of_chat(samples, series.DECISIONS, role="prefill", direction="up") == 1
    assert of_chat(samples, series.READY, role="prefill") is None
    assert of_chat(samples, series.CONDITION, type="Reconciled") == 0


def test_attainment_stays_while_no_request_ends() -> None:
    idle = tick(finished=Figure(0.0), met_both=Figure(0.0))

    assert of_chat(exported(told(WHOLE, idle)), series.ATTAINMENT) == 0.995


def test_attainment_goes_when_nobody_counts_any_more() -> None:
    blind = tick(finished=Missing("no gateway"), met_both=Missing("no gateway"))

    assert of_chat(exported(told(WHOLE, blind)), series.ATTAINMENT) is None


def test_a_resource_that_cannot_be_read_still_has_its_conditions() -> None:
    metrics = OperatorMetrics()
    metrics.told("team", "chat", None, None, fleet_status(None, None, None, 1, NOW))

    assert of_chat(exported(metrics), series.CONDITION, type="Ready") == -1
