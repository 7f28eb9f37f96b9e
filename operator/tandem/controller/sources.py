"""Where each fleet's figures come from; fleets that ask the same Prometheus share one question."""

from collections.abc import Sequence

from tandem.api.metrics_spec import Prometheus as PrometheusSpec
from tandem.api.metrics_spec import Source
from tandem.cluster.kubernetes.labels import COMPONENT, GATEWAY, GATEWAY_PORT
from tandem.cluster.kubernetes.pods import is_gone
from tandem.cluster.kubernetes.seen import Seen
from tandem.cluster.ports import MetricsSource
from tandem.cluster.prometheus import Prometheus, PrometheusSource
from tandem.cluster.scrape import DirectScrape
from tandem.controller.wanted import Wanted


class Sources:
    """Makes the source of a fleet as its resource says."""

    def __init__(self) -> None:
        self._servers: dict[PrometheusSpec, Prometheus] = {}

    def of(self, wanted: Wanted, seen: Seen) -> MetricsSource:
        """A source that has not read yet."""
        spec = wanted.fleet.spec
        caps = {role: given.profile.batch_cap for role, given in wanted.spec.roles.items()}
        engine = spec.engine.type.value
        place = wanted.namespace, wanted.name
        if spec.metrics.source is Source.DIRECT or spec.metrics.prometheus is None:
            return DirectScrape(lambda: gateway_urls(seen, *place), caps, engine)
        return PrometheusSource(self._server(spec.metrics.prometheus), *place, caps, engine)

    async def close(self, source: MetricsSource) -> None:
        """Close what a fleet alone used."""
        if isinstance(source, DirectScrape):
            await source.close()

    async def close_all(self) -> None:
        """Close what fleets shared."""
        for server in self._servers.values():
            await server.close()

    def _server(self, spec: PrometheusSpec) -> Prometheus:
        if spec not in self._servers:
            self._servers[spec] = Prometheus(spec.url, spec.token_file)
        return self._servers[spec]


def gateway_urls(seen: Seen, namespace: str, fleet: str) -> Sequence[str]:
    """Addresses of all gateway pods of a fleet that run; one that drains still counts requests."""
    pods = (
        body
        for body in seen.pods(namespace, fleet)
        if body["metadata"]["labels"].get(COMPONENT) == GATEWAY and not is_gone(body)
    )
    addresses = (body.get("status", {}).get("podIP") for body in pods)
    return tuple(f"http://{address}:{GATEWAY_PORT}" for address in addresses if address)
