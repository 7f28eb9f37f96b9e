"""Recording rules: attainment and burn rate of every fleet, over each window that an alert looks at.

They carry the operator's labels (`fleet_namespace`, `fleet`), so that they meet its series without a
join; a window without requests has no sample, for nothing was promised and nothing was missed.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from tandem.cluster import series
from tandem.dashboards import promql, slo
from tandem.dashboards.promql import FLEET, FLEET_NAMESPACE, NAMESPACE, TARGET_FLEET

BY = (FLEET_NAMESPACE, FLEET)
REMEMBERED = "1h"  # a target holds this long after the operator was last seen: alerts outlive it


@dataclass(frozen=True, slots=True)
class Record:
    """A series that is computed and kept."""

    name: str
    promql: str


def attainment(window: str) -> str:
    """The name of the share that met both targets."""
    return f"fleet:tandem_slo_attainment:ratio_increase{window}"


def burn_rate(window: str) -> str:
    """The name of how many times too fast the error budget is used up."""
    return f"fleet:tandem_slo_burn:rate{window}"


def target() -> str:
    """The share that shall meet both targets, of every fleet."""
    return promql.most(f"last_over_time({series.ATTAINMENT_TARGET}[{REMEMBERED}])", *BY)


def of_fleets(vector: str) -> str:
    """The sum over a fleet's pods of something scraped from them, under the operator's labels."""
    renamed = vector
    for theirs, ours in ((NAMESPACE, FLEET_NAMESPACE), (TARGET_FLEET, FLEET)):
        renamed = f'label_replace({renamed}, "{ours}", "$1", "{theirs}", "(.+)")'
    return promql.total(renamed, *BY)


def records(*windows: str) -> Iterator[Record]:
    """Attainment, then the burn rate that is made of it, for each window."""
    for window in windows:
        met, judged = (
            of_fleets(promql.growth(promql.select(series.SLO, *matchers), window))
            for matchers in (slo.MET, ())
        )
        yield Record(attainment(window), promql.share(met, judged))
        missed = f"(1 - {attainment(window)}) / (1 - {target()})"
        yield Record(burn_rate(window), missed)
