"""Words of PromQL that queries are put together from; dashboards and rules share them.

`scraped` selects what gateways and engines export, by the labels of the scraped pod; `told` selects
what the operator exports of a fleet, by the labels that it gives itself.
"""

import re

from tandem.api.role import Role
from tandem.cluster.kubernetes import labels

NAMESPACE = "namespace"
FLEET_NAMESPACE, FLEET = "fleet_namespace", "fleet"  # the operator's own
WINDOW = "$__rate_interval"
_CHOSEN_NAMESPACE, _CHOSEN_FLEET = "$namespace", "$fleet"  # variables of a dashboard


def target_label(pod_label: str) -> str:
    """The name that Prometheus gives to a pod's label."""
    return re.sub(r"\W", "_", pod_label)


TARGET_FLEET = target_label(labels.FLEET)
TARGET_ROLE = target_label(labels.ROLE)


def is_(label: str, value: str) -> str:
    """A matcher."""
    return f'{label}="{value}"'


def is_not(label: str, value: str) -> str:
    """A matcher."""
    return f'{label}!="{value}"'


def select(name: str, *matchers: str) -> str:
    """A selector of every fleet's series, or of all that match."""
    return f"{name}{{{', '.join(matchers)}}}" if matchers else name


def scraped(name: str, *matchers: str) -> str:
    """A selector of what the chosen fleet's gateway or engines export."""
    own = is_(NAMESPACE, _CHOSEN_NAMESPACE), is_(TARGET_FLEET, _CHOSEN_FLEET)
    return select(name, *own, *matchers)


def engines(name: str, role: Role) -> str:
    """A selector of what the chosen fleet's engines of one role export."""
    return scraped(name, is_(TARGET_ROLE, role.value))


def told(name: str, *matchers: str) -> str:
    """A selector of what the operator exports of the chosen fleet."""
    own = is_(FLEET_NAMESPACE, _CHOSEN_NAMESPACE), is_(FLEET, _CHOSEN_FLEET)
    return select(name, *own, *matchers)


def rate(selector: str, window: str = WINDOW) -> str:
    """Growth a second."""
    return f"rate({selector}[{window}])"


def growth(selector: str, window: str = WINDOW) -> str:
    """Growth over a window."""
    return f"increase({selector}[{window}])"


def total(vector: str, *by: str) -> str:
    """The sum, for each value of the labels."""
    return f"sum{_by(by)}({vector})"


def most(vector: str, *by: str) -> str:
    """The greatest; of the operator's gauges the one value, also while a new operator takes over."""
    return f"max{_by(by)}({vector})"


def mean(vector: str, *by: str) -> str:
    """The mean over series."""
    return f"avg{_by(by)}({vector})"


def share(part: str, whole: str) -> str:
    """A part of a whole; no sample while there is no whole, instead of a figure made of nothing."""
    return f"{part} / ({whole} > 0)"


def quantile(at: float, histogram: str, *matchers: str) -> str:
    """The quantile of a histogram of the chosen fleet."""
    buckets = total(rate(scraped(f"{histogram}_bucket", *matchers)), "le")
    return f"histogram_quantile({at}, {buckets})"


def average(histogram: str, *matchers: str) -> str:
    """The mean of what a histogram of the chosen fleet counted."""
    both = (total(rate(scraped(f"{histogram}_{part}", *matchers))) for part in ("sum", "count"))
    return share(*both)


def _by(names: tuple[str, ...]) -> str:
    return f" by ({', '.join(names)}) " if names else ""
