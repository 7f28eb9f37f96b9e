"""The real /metrics pages of every process, with the labels that Prometheus adds to what it scrapes."""

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from tests.controller.builders import NOW, PREDICTION, change, fleet, plan, tick
from tests.fakes.gateway_fleet import settings
from tests.planner.builders import ENGINE, D, P, costing, spec
from tests.tandem_engine.emulator.rig import settings as emulator_settings

from tandem.api.role import Role
from tandem.cluster.kubernetes import labels
from tandem.controller.metrics import OperatorMetrics
from tandem.controller.status import fleet_status
from tandem.gateway.arrivals import ArrivalCounts
from tandem.gateway.metrics import GatewayMetrics
from tandem.perf.engine_profile import DecodeCost
from tandem.routing.model import RoutePod
from tandem.routing.router import Router
from tandem_engine.emulator.emulator import Emulator
from tandem_engine.emulator.metrics import exposition

NAMESPACE, FLEET = "team", "chat"
_COST = DecodeCost(alpha_s=0.01, beta_s_per_sequence=0.001, gamma_s_per_token=1e-6)
_KNOWN_S = 200  # a gateway this old knows how bursty its arrivals are


class Series(NamedTuple):
    """One series as Prometheus keeps it."""

    name: str
    labels: dict[str, str]
    value: float


def everything() -> list[Series]:
    """What a Prometheus has of one fleet and of the operator."""
    return [*_gateway(), *_engine(Role.PREFILL), *_engine(Role.DECODE), *_operator()]


def _gateway() -> Iterator[Series]:
    router = Router(_COST, tpot_s=1)
    router.set_pods(
        [RoutePod(name=f"chat-{role}", role=role, kv_capacity_tokens=1000) for role in Role]
    )
    metrics = GatewayMetrics(settings(), router)
    now_s = time.monotonic()
    metrics._arrivals._counts = ArrivalCounts(now_s - _KNOWN_S)
    for second in range(0, _KNOWN_S, 2):
        metrics.arrived(now_s - _KNOWN_S + second)
    metrics.lengths(100, 0, 10)
    metrics.retries.add("decode", "unreachable")
    metrics.releases.add("released")
    metrics.busy.keep(["chat-prefill"])
    yield from _scraped(metrics.render().decode(), "chat-gateway-0", {labels.COMPONENT: "gateway"})


def _engine(role: Role) -> Iterator[Series]:
    page = exposition(Emulator(emulator_settings())).decode()
    yield from _scraped(page, f"chat-{role}", {labels.ROLE: role, labels.COMPONENT: role})


def _operator() -> Iterator[Series]:
    given = spec(profile=costing(ENGINE, cost_per_hour=2.5))
    metrics = OperatorMetrics(lambda: {("PUT", 200): 3, ("PUT", 409): 1})
    finite = replace(PREDICTION, tpot_s=PREDICTION.ttft_s)
    made = tick(changes=[change(P, 2, 3), change(D, 5, 4)], planned=plan(prediction=finite))
    status = fleet_status(fleet(), made, None, 1, NOW)
    metrics.told(NAMESPACE, FLEET, given, made, status, took_s=0.25)
    registry = CollectorRegistry()
    registry.register(metrics)
    yield from _series(generate_latest(registry).decode(), {"namespace": "tandem", "pod": "op-0"})


def _scraped(page: str, pod: str, own: dict[str, str]) -> Iterator[Series]:
    """As the chart's PodMonitor has it: `podTargetLabels`, every odd character an underscore."""
    pod_labels = {labels.FLEET: FLEET, **own}
    renamed = {
        name.replace(".", "_").replace("/", "_"): value for name, value in pod_labels.items()
    }
    yield from _series(page, {"namespace": NAMESPACE, "pod": pod, **renamed})


def _series(page: str, target: dict[str, str]) -> Iterator[Series]:
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            clash = sample.labels.keys() & target.keys()
            assert not clash, f"{sample.name}: Prometheus would rename {clash}"
            yield Series(sample.name, {**sample.labels, **target}, sample.value)
