"""The two ports of the operator: a cluster that runs pods, and a source of metrics.

Adapters: `cluster.local` (processes on this machine), `cluster.scrape` (direct scrape); Kubernetes
and Prometheus stand behind the same protocols.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

from tandem.api.role import Role
from tandem.cluster.pod import Pod
from tandem.planner.observation import Traffic


class Cluster(Protocol):
    """Runs pods of each role."""

    async def pods(self) -> Sequence[Pod]:
        """Every pod that is not yet gone."""
        ...

    async def desired(self) -> Mapping[Role, int]:
        """Replicas asked for per role; draining pods are not among them."""
        ...

    async def scale(self, role: Role, replicas: int, drain_first: Sequence[str] = ()) -> None:
        """Ask for a number of replicas; idempotent, returns before they are there.

        When pods must go, those still starting go first, then those named in `drain_first`, in order.
        """
        ...

    async def wait_changed(self, timeout_s: float) -> None:
        """Return when a pod came, went or changed its phase, or after `timeout_s`."""
        ...


class MetricsSource(Protocol):
    """Reads what the gateway and the engines measured since the last read."""

    async def read(self, pods: Sequence[Pod]) -> Traffic:
        """Figures of the interval since the last call; what can't be had is `Missing`."""
        ...
