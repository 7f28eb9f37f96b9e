"""Metrics from a Prometheus that scrapes gateways and engines: one question a second for all fleets.

Whatever goes wrong is `Missing` with a sentence to act on, never an exception and never 0.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tandem.api.role import Role
from tandem.cluster import promql
from tandem.cluster.growth import Look
from tandem.cluster.meter import Meter, ready
from tandem.cluster.pod import Pod
from tandem.cluster.prometheus_http import Connection, not_understood
from tandem.cluster.promql import Answer, FleetLook
from tandem.planner.observation import Missing, Traffic

FRESH_S = 1.0  # fleets that tick within it share an answer
MOST_LOAD = 0.05  # of a core, to read answers: large ones are shared for longer
MOST_LONGER = 10.0  # times
TIMEOUT_S = 5.0
_QUERY = promql.query()
_NO_VECTOR = (LookupError, TypeError, ValueError, AttributeError)


class Prometheus:
    """One server, asked for all fleets together; share it between the sources of one URL and token."""

    def __init__(
        self,
        url: str,
        token_file: str | Path | None = None,
        *,
        timeout_s: float = TIMEOUT_S,
        fresh_s: float = FRESH_S,
    ) -> None:
        self._connection = Connection(url, token_file, timeout_s)
        self._timeout_s = timeout_s
        self._fresh_s = fresh_s
        self._spent_s = 0.0  # of CPU, on the last answer
        self._asked_s = float("-inf")
        self._asking: asyncio.Task[Answer | Missing] | None = None

    @property
    def url(self) -> str:
        """The server's address."""
        return self._connection.url

    async def answer(self) -> tuple[Answer | Missing, float]:
        """The newest answer, and how many seconds ago it was asked for.

        One question is under way at a time: a server that hangs holds one thread, not one a fleet.
        """
        now_s = time.monotonic()
        if self._asking is None or (
            self._asking.done() and now_s - self._asked_s > self._fresh_enough_s()
        ):
            self._asked_s = now_s
            self._asking = asyncio.create_task(asyncio.to_thread(self._ask))
        left_s = max(0.0, self._asked_s + 2 * self._timeout_s - now_s)
        try:
            told = await asyncio.wait_for(asyncio.shield(self._asking), left_s)
        except TimeoutError:
            told = Missing(f"Prometheus at {self.url} has not answered for {self._age_s():.0f} s")
        return told, self._age_s()

    async def close(self) -> None:
        """Close the connections once the question under way has ended."""
        if self._asking is not None:
            await asyncio.wait([self._asking])
        self._connection.close()

    def _ask(self) -> Answer | Missing:
        began_s = time.thread_time()
        try:
            return self._read(self._connection.ask(_QUERY))
        finally:
            self._spent_s = time.thread_time() - began_s

    def _read(self, rows: Sequence[promql.Row] | Missing) -> Answer | Missing:
        if isinstance(rows, Missing):
            return rows
        try:
            return Answer(rows)
        except _NO_VECTOR:
            return Missing(not_understood(self.url))

    def _fresh_enough_s(self) -> float:
        return self._fresh_s * min(MOST_LONGER, max(1.0, self._spent_s / MOST_LOAD / FRESH_S))

    def _age_s(self) -> float:
        return time.monotonic() - self._asked_s


class PrometheusSource:
    """A `MetricsSource` for one fleet; `batch_cap` is requests in an engine of a role at most."""

    def __init__(
        self,
        prometheus: Prometheus,
        namespace: str,
        fleet: str,
        batch_cap: Mapping[Role, int],
        engine: str = "vllm",
    ) -> None:
        self._prometheus = prometheus
        self._namespace, self._fleet = namespace, fleet
        self._meter = Meter(batch_cap, engine)

    async def read(self, pods: Sequence[Pod]) -> Traffic:
        """Figures of the time between the newest scrape and the one of the last call."""
        told = await self._told()
        if isinstance(told, Missing):
            engines: dict[str, Look | Missing] = {pod.name: told for pod in ready(pods)}
            return self._meter.read({self._prometheus.url: told}, engines, pods)
        engines = {
            pod.name: told.looks.get(pod.name, self._no_scrape(pod.name)) for pod in ready(pods)
        }
        return self._meter.read(self._gateways(told), engines, pods)

    async def _told(self) -> FleetLook | Missing:
        answer, since_s = await self._prometheus.answer()
        if isinstance(answer, Missing):
            return answer
        try:
            return answer.of(self._namespace, self._fleet, since_s)
        except _NO_VECTOR:
            return Missing(not_understood(self._prometheus.url))

    def _gateways(self, told: FleetLook) -> dict[str, Look | Missing]:
        """Every gateway that is or was scraped, by pod; none is said with what to look at.

        Without pod labels the replicas of a fleet would pass for one.
        """
        if "" in told.looks:
            return {"": self._nothing("only series without a pod")}
        found: dict[str, Look | Missing] = {
            pod: self._unreached(pod) for pod in told.unreached if pod not in told.looks
        }
        found |= {pod: look for pod, look in told.looks.items() if _is_gateway(look)}
        return found or {"": self._nothing("nothing")}

    def _nothing(self, what: str) -> Missing:
        typed = promql.fleet_query(self._namespace, self._fleet)
        return Missing(
            f"Prometheus at {self._prometheus.url} has {what} for {typed}: let it scrape the"
            f" gateway's pods and give them the labels {promql.NAMESPACE}, {promql.POD} and"
            f" {promql.FLEET}"
        )

    def _unreached(self, pod: str) -> Missing:
        return Missing(
            f"Prometheus at {self._prometheus.url} can't scrape the gateway {pod} (up is 0):"
            " its page of targets says why"
        )

    def _no_scrape(self, pod: str) -> Missing:
        return Missing(f"Prometheus at {self._prometheus.url} has no scrape of the engine {pod}")


def _is_gateway(look: Look) -> bool:
    return any(row.name.startswith("tandem_gateway_") for row in look.rows)
