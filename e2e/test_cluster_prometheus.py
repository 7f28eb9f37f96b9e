"""A real Prometheus scrapes fleets on a real Kubernetes, and one of them is scaled by what it says."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from e2e import discovery, prometheus_process
from e2e.cluster.access import Box
from e2e.cluster.places import NODE_IP
from e2e.conftest import ROOT
from e2e.fleet import Fleet, emulated, profile
from e2e.traffic import playing, steady

from tandem.cluster.local.addresses import free_port
from tandem.dashboards.queries import queries

pytestmark = pytest.mark.e2e

LOAD = (5.0, 2000, 20)  # requests/s, tokens: by `tandem plan` 2 prefill and 1 decode
LOAD_S, SETTLED_S = 20.0, 13.0
BACK_S = 240.0  # a load is stood ready for, for 36 cold starts and ages of figures
ENGINES = {"running.decode", "kvUsage.decode", "running.prefill", "kvUsage.prefill"}
RULES = ROOT / "charts" / "tandem" / "rules" / "tandem.yaml"


@dataclass
class Watched:
    """Two fleets alike, one scaled by a Prometheus and one by direct scrapes, and their replicas over time."""

    asking: Fleet
    direct: Fleet
    folder: Path
    address: str
    replicas: list[tuple[tuple[int, int], tuple[int, int]]] = field(default_factory=list)
    running: ExitStack = field(default_factory=ExitStack)

    def start(self) -> None:
        """Start Prometheus on what it knew before."""
        configuration = discovery.configuration(self.folder, "2s", RULES)
        one = prometheus_process.running(self.folder, yaml.safe_dump(configuration), self.address)
        self.running.enter_context(one)

    def get(self, part: str, **parameters: str) -> dict[str, Any]:
        """What Prometheus's API answers."""
        url = f"http://{self.address}/api/v1/{part}"
        answer = requests.get(url, params=parameters, timeout=10)
        assert answer.status_code == 200, answer.text
        return dict(answer.json()["data"])

    def ask(self, promql: str) -> list[dict[str, Any]]:
        """The vector that a query gives."""
        return list(self.get("query", query=promql)["result"])

    def stop(self) -> None:
        """End Prometheus."""
        self.running.close()


@pytest.fixture(scope="module")
def watched(tandem: Box, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    namespace = "e2e-prometheus"
    made = Watched(
        asking=Fleet(tandem, namespace, "asking"),
        direct=Fleet(tandem, namespace, "direct"),
        folder=tmp_path_factory.mktemp("prometheus"),
        address=f"{NODE_IP}:{free_port()}",
    )
    source = {"source": "prometheus", "prometheus": {"url": f"http://{made.address}"}}
    tandem.kubectl("create", "namespace", namespace)
    made.asking.apply(profile(), emulated("direct"), emulated("asking", metrics=source))
    try:
        with discovery.listing(tandem, made.folder), made.running:
            made.start()
            made.asking.until_ready()
            made.direct.until_ready()
            made.asking.until("it is scraped", lambda: fresh(made.asking)["status"] == "True", 30)
            yield made
    finally:
        tandem.kubectl("delete", "namespace", namespace, "--wait=false")


@pytest.fixture(scope="module")
def loaded(watched: Watched) -> Watched:
    """After steady load on both."""
    load = steady(*LOAD, for_s=LOAD_S)
    with playing(watched.asking, load) as asking, playing(watched.direct, load) as direct:
        begun_s = time.monotonic()
        while time.monotonic() < begun_s + LOAD_S:
            time.sleep(1)
            if time.monotonic() > begun_s + SETTLED_S:
                watched.replicas.append((watched.asking.replicas(), watched.direct.replicas()))
    assert any(request.done for request in asking)
    assert any(request.done for request in direct)
    return watched


def test_on_steady_load_prometheus_and_direct_scrapes_give_the_same_targets(
    loaded: Watched,
) -> None:
    assert len(loaded.replicas) > 3
    for asking, direct in loaded.replicas:
        assert max(abs(a - d) for a, d in zip(asking, direct, strict=True)) <= 1, loaded.replicas
        assert min(asking[0], direct[0]) > 1  # the load asks for more than the least


def test_the_status_says_which_figures_are_exact_and_which_are_bounds(loaded: Watched) -> None:
    for fleet in (loaded.asking, loaded.direct):
        # an engine whose scrape was late makes a bound, or is missing, until the next is told
        fleet.until("all are known", lambda: {*figures(fleet)["known"]} >= ENGINES)  # noqa: B023
        told = figures(fleet)
        assert {"arrivals", "lengths", "finished", "metBoth"} <= {*told["exact"]}, told
        named = [*told["known"], *told["missing"]]
        assert len({*named}) == len(named) == 16, told  # every figure once


def test_every_query_of_every_dashboard_has_data_after_real_load(loaded: Watched) -> None:
    empty = [
        query.panel
        for fleet in (loaded.asking, loaded.direct)
        for query in queries(fleet.namespace, fleet.name)
        if not (loaded.ask(query.promql) or query.may_be_empty)
    ]
    assert not empty


def test_every_rule_is_evaluated_and_what_rules_record_is_there(loaded: Watched) -> None:
    groups = loaded.get("rules")["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    assert len(rules) == sum(
        len(group["rules"]) for group in yaml.safe_load(RULES.read_text())["groups"]
    )
    assert not [rule for rule in rules if rule["health"] == "err"]
    fleet = f'fleet_namespace="{loaded.asking.namespace}",fleet="{loaded.asking.name}"'
    attained = f"fleet:tandem_slo_attainment:ratio_increase5m{{{fleet}}}"
    loaded.asking.until("a rule has recorded it", lambda: loaded.ask(attained), 30)
    (recorded,) = loaded.ask(attained)
    assert 0 < float(recorded["value"][1]) <= 1


@pytest.mark.full  # half a minute
def test_without_its_prometheus_a_fleet_is_held_and_goes_on_when_it_is_back(
    loaded: Watched,
) -> None:
    asking, direct = loaded.asking, loaded.direct
    for fleet in (asking, direct):
        fleet.until("it is as before the load", lambda: fleet.replicas() == (1, 1), BACK_S)  # noqa: B023
    loaded.stop()
    asking.until("it says that figures are missing", lambda: fresh(asking)["status"] == "False")
    load = steady(*LOAD)
    with playing(asking, load, to_the_end=False), playing(direct, load, to_the_end=False):
        direct.until("the other is scaled", lambda: direct.replicas()[0] > 1, 30)
        assert asking.replicas() == (1, 1)
        assert f"Prometheus at http://{loaded.address} can't be reached" in fresh(asking)["message"]
        assert "replicas are held" in fresh(asking)["message"]
        assert asking.events("MetricsMissing")
        loaded.start()
        asking.until("it is scaled too", lambda: asking.replicas()[0] > 1, 30)
    assert fresh(asking)["status"] == "True"


def figures(fleet: Fleet) -> dict[str, list[str]]:
    """Names of the figures that are exact, known at all, or missing."""
    told = fleet.status["slo"]["exactness"]
    exact, bounds = told.get("exact", []), told.get("bounds", [])
    missing = [each["figure"] for each in told.get("missing", [])]
    return {"exact": exact, "known": [*exact, *bounds], "missing": missing}


def fresh(fleet: Fleet) -> dict[str, Any]:
    """The condition MetricsFresh; Unknown until it is told."""
    return {"status": "Unknown", **fleet.condition("MetricsFresh")}
