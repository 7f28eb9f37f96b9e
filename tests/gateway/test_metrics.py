import time

import pytest
from tests.fakes.gateway_fleet import settings

from tandem.api.role import Role
from tandem.cluster import series
from tandem.cluster.exposition import Sample, samples
from tandem.gateway.metrics import GatewayMetrics, PrefillBusy
from tandem.perf.engine_profile import DecodeCost
from tandem.routing.model import RoutePod, RouteRequest
from tandem.routing.router import Router

COST = DecodeCost(alpha_s=0.01, beta_s_per_sequence=0.001, gamma_s_per_token=1e-6)


def busy_s(busy: PrefillBusy) -> dict[str, float]:
    (family,) = busy.collect()
    return {sample.labels["target_pod"]: sample.value for sample in family.samples}


def exported(metrics: GatewayMetrics, name: str) -> list[Sample]:
    return samples(metrics.render().decode(), [name])


def test_busy_seconds_add_up_over_legs() -> None:
    busy = PrefillBusy()
    for began_s, ended_s in ((10.0, 11.5), (20.0, 20.25)):
        busy.begin("p0", began_s)
        busy.end("p0", ended_s)
    assert busy_s(busy) == {"p0": 1.75}


def test_a_leg_that_is_out_counts_up_to_now_and_only_once() -> None:
    busy = PrefillBusy()
    busy.begin("p0", time.monotonic() - 5)
    assert busy_s(busy)["p0"] == pytest.approx(5, abs=0.5)
    busy.end("p0", time.monotonic())
    assert busy_s(busy)["p0"] == pytest.approx(5, abs=0.5)


def test_pods_are_known_before_their_first_leg_and_forgotten_when_they_are_gone() -> None:
    busy = PrefillBusy()
    busy.keep(["p0", "p1"])
    assert busy_s(busy) == {"p0": 0, "p1": 0}
    busy.begin("p1", time.monotonic())
    busy.keep([])
    assert list(busy_s(busy)) == ["p1"], "its leg is still out"
    busy.end("p1", time.monotonic())
    busy.keep([])
    assert busy_s(busy) == {}


@pytest.mark.parametrize(
    ("name", "target"),
    [
        (series.TTFT, "1.73"),
        (series.QUEUE, "1.73"),
        (series.TPOT, "0.0371"),
        (series.ITL, "0.0371"),
    ],
)
def test_every_target_is_an_exact_edge_where_it_matters(name: str, target: str) -> None:
    router = Router(COST, tpot_s=1)
    metrics = GatewayMetrics(settings(ttft_s=1.73, tpot_s=0.0371), router)
    edges = [sample.labels["le"] for sample in exported(metrics, f"{name}_bucket")]
    assert target in edges
    assert edges == sorted(edges, key=float)


def test_what_waits_and_what_is_in_flight_is_the_router_s() -> None:
    router = Router(COST, tpot_s=1)
    pods = [
        RoutePod(name=name, role=role, kv_capacity_tokens=1000)
        for name, role in (("p0", Role.PREFILL), ("d0", Role.DECODE))
    ]
    router.set_pods(pods)
    metrics = GatewayMetrics(settings(), router)
    for key in "abc":
        router.enqueue(
            RouteRequest(key=key, arrival_s=0, deadline_s=1, input_tokens=10, service_s=0.1)
        )
    router.start_prefill(0.0)
    router.prefilled("a")
    router.start_decode("a")
    router.start_prefill(0.0)
    assert [x.value for x in exported(metrics, series.QUEUED_REQUESTS)] == [1]
    assert [x.value for x in exported(metrics, series.QUEUED_TOKENS)] == [10]
    assert [(dict(x.labels), x.value) for x in exported(metrics, series.IN_FLIGHT)] == [
        ({"role": "prefill", "target_pod": "p0"}, 1),
        ({"role": "decode", "target_pod": "d0"}, 1),
    ]
    assert [(dict(x.labels), x.value) for x in exported(metrics, series.PINNED)] == [
        ({"target_pod": "p0"}, 1)
    ]


def test_series_of_a_kind_that_is_known_start_at_0() -> None:
    metrics = GatewayMetrics(settings(), Router(COST, tpot_s=1))
    assert {x.value for x in exported(metrics, series.FINISHED)} == {0}
    assert len(exported(metrics, series.FINISHED)) == 6
    assert len(exported(metrics, series.SLO)) == 4
    assert [x.value for x in exported(metrics, series.ARRIVALS)] == [0]
    assert exported(metrics, series.DISPERSION) == [], "nothing is known yet, which is not 0"
