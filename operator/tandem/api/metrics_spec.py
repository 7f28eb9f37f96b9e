"""Where the operator reads what the gateway and the engines measured."""

from enum import StrEnum
from typing import ClassVar

from tandem.api.base import ApiModel, Rule
from tandem.api.scalars import Duration, FilePath, Url


class Source(StrEnum):
    """Who is asked for figures."""

    DIRECT = "direct"
    PROMETHEUS = "prometheus"


class Prometheus(ApiModel):
    """A server that speaks Prometheus' HTTP API."""

    url: Url
    """Address of the server, such as http://prometheus.monitoring.svc:9090."""

    token_file: FilePath | None = None
    """File in the operator's pod that holds a bearer token; read anew for each query."""


class Metrics(ApiModel):
    """Where figures come from."""

    source: Source = Source.DIRECT
    """direct: the operator reads the gateway and the engine pods itself, which suits fleets of up
    to 64 pods. prometheus: it asks a Prometheus that scrapes them."""

    prometheus: Prometheus | None = None
    """The Prometheus to ask."""

    max_age: Duration = "60s"
    """A figure that is older counts as missing; autoscaling.onStale says what follows."""

    def names_its_server(self) -> bool:
        """Whether a fleet that reads from Prometheus says from which."""
        return self.source is not Source.PROMETHEUS or self.prometheus is not None

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            field="source",
            allowed="direct, or prometheus together with metrics.prometheus.url",
            cel="self.source != 'prometheus' || has(self.prometheus)",
            holds=names_its_server,
        ),
    )
