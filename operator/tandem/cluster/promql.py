"""What Prometheus is asked for all fleets at once, and what its answer says of each.

Raw counters, for `increase()` extrapolates; the time of each sample, for a scrape is older than the
answer. `max by` drops the labels that nobody reads and makes one of a pod that two jobs scrape.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tandem.cluster import series
from tandem.cluster.exposition import Sample
from tandem.cluster.growth import GATEWAY, Look

NAMESPACE, POD, FLEET = "namespace", "pod", "tandem_dev_fleet"  # of the scraped target
COMPONENT = "app_kubernetes_io_component"

_NAME = "__name__"
_OWN = ("ttft", "tpot", "input", "cached", "output", "role", "engine", series.TARGET_POD)
_OF, _SAMPLED, _UNREACHED = "of", "sampled", "unreached"  # which part of the query a row is from
_ENGINES = sorted({name for each in series.ENGINE_SERIES.values() for name in each.read})
_TIMED = (series.ARRIVALS, *sorted({each.running for each in series.ENGINE_SERIES.values()}))

Row = Mapping[str, Any]


def query() -> str:
    """One instant query for every fleet that the server scrapes."""
    target = f"{NAMESPACE}, {FLEET}, {POD}"
    names = "|".join((*GATEWAY, *_ENGINES))
    own = ", ".join(dict.fromkeys((_NAME, NAMESPACE, FLEET, POD, *_OWN)))
    figures = f'max by ({own}) ({{{_NAME}=~"{names}", {FLEET}!=""}})'
    times = " or ".join(f'timestamp({name}{{{FLEET}!=""}})' for name in _TIMED)
    down = f'up{{{FLEET}!="", {COMPONENT}="gateway"}}'
    return " or ".join(
        (
            figures,
            f'label_replace(max by ({target}) ({times}), "{_OF}", "{_SAMPLED}", "", "")',
            f'label_replace(max by ({target}) ({down}) == 0, "{_OF}", "{_UNREACHED}", "", "")',
        )
    )


def fleet_query(namespace: str, fleet: str) -> str:
    """What a person may type to see whether a fleet's gateway is scraped under the right labels."""
    return f'{series.ARRIVALS}{{{NAMESPACE}="{namespace}", {FLEET}="{fleet}"}}'


@dataclass(slots=True)
class FleetLook:
    """What the answer says of one fleet, by pod; `unreached` are gateways whose scrape failed."""

    looks: dict[str, Look] = field(default_factory=dict)
    unreached: list[str] = field(default_factory=list)


class Answer:
    """Rows of one answer by fleet; each fleet's are parsed when it asks."""

    def __init__(self, result: Sequence[Row]) -> None:
        self._rows: dict[tuple[str, str], list[Row]] = defaultdict(list)
        for row in result:
            metric = row["metric"]
            self._rows[metric.get(NAMESPACE, ""), metric.get(FLEET, "")].append(row)

    def of(self, namespace: str, fleet: str, since_s: float) -> FleetLook:
        """What it says of a fleet; `since_s` is how long ago it was asked for.

        Errors: KeyError, TypeError, ValueError, AttributeError where it is no instant vector.
        """
        found = FleetLook()
        samples: dict[str, list[Sample]] = defaultdict(list)
        times: dict[str, tuple[float, float]] = {}
        for row in self._rows.get((namespace, fleet), ()):
            metric, (asked_s, value) = row["metric"], row["value"]
            pod, part = metric.get(POD, ""), metric.get(_OF)
            if part is None:
                samples[pod].append(Sample(metric[_NAME], _own(metric), float(value)))
            elif part == _SAMPLED:
                times[pod] = float(value), float(asked_s) - float(value)
            else:
                found.unreached.append(pod)
        for pod, (at_s, age_s) in times.items():
            found.looks[pod] = Look(samples[pod], at_s, max(0.0, age_s) + since_s)
        return found


def _own(metric: Mapping[str, str]) -> Mapping[str, str]:
    """The labels that the process gave; what is left belongs to the target."""
    return {name: metric[name] for name in _OWN if name in metric}
