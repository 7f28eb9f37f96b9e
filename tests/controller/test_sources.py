"""Where a fleet's figures come from is what its resource says; one Prometheus is asked once for all."""

from typing import Any

import pytest
from tests.api import documents
from tests.cluster.kubernetes import bodies

from tandem.api.parse import parse_profile
from tandem.cluster.kubernetes.api import POD
from tandem.cluster.kubernetes.labels import COMPONENT
from tandem.cluster.kubernetes.seen import Seen
from tandem.cluster.prometheus import PrometheusSource
from tandem.cluster.scrape import DirectScrape
from tandem.controller.sources import Sources, gateway_urls
from tandem.controller.wanted import Wanted, read

PROFILES = {"h200-8b": parse_profile(documents.profile())}


def wanted(name: str = "chat", **changes: Any) -> Wanted:
    metadata = {"name": name, "namespace": "prod", "uid": "1", "generation": 1}
    return read(documents.fleet(**changes) | {"metadata": metadata}, PROFILES)


def prometheus(url: str) -> dict[str, Any]:
    return {"metrics": {"source": "prometheus", "prometheus": {"url": url}}}


async def test_fleets_of_one_prometheus_share_it_and_others_do_not() -> None:
    sources = Sources()
    made = [
        sources.of(wanted(name, **prometheus(url)), Seen())
        for name, url in (("a", "http://one"), ("b", "http://one"), ("c", "http://two"))
    ]

    assert all(isinstance(one, PrometheusSource) for one in made)
    servers = [one._prometheus for one in made if isinstance(one, PrometheusSource)]
    assert servers[0] is servers[1]
    assert servers[0] is not servers[2]
    await sources.close_all()


async def test_a_fleet_that_names_none_is_scraped_directly() -> None:
    sources = Sources()
    made = sources.of(wanted(), Seen())

    assert isinstance(made, DirectScrape)
    await sources.close(made)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ({"podIP": "10.0.0.7"}, ("http://10.0.0.7:8080",)),
        ({"podIP": ""}, ()),
        ({"podIP": "10.0.0.7", "phase": "Failed"}, ()),
    ],
)
def test_gateways_are_read_where_they_run(
    status: dict[str, Any], expected: tuple[str, ...]
) -> None:
    seen = Seen()
    body = bodies.pod("gateway", **status)
    body["metadata"]["labels"] |= {COMPONENT: "gateway"}
    seen.event(POD, None, body)
    seen.event(POD, None, bodies.pod("engine", podIP="10.0.0.8"))

    assert gateway_urls(seen, bodies.NAMESPACE, bodies.FLEET) == expected
