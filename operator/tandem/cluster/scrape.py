"""Metrics by direct scrape of the gateway and the engines: for fleets of up to 64 pods.

A target that does not answer makes its figures `Missing`; those of others stay. Every figure carries
the seconds since it was true.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import aiohttp

from tandem.api.role import Role
from tandem.cluster import series
from tandem.cluster.exposition import Counters, Sample, samples
from tandem.cluster.ports import Pod, PodPhase
from tandem.planner.observation import Figure, LengthCounts, Missing, Reading, Traffic

_GATEWAY = (
    series.ARRIVALS,
    series.FINISHED,
    series.SLO,
    series.LENGTHS,
    series.DISPERSION,
    series.QUEUED_REQUESTS,
    series.QUEUED_TOKENS,
    series.IN_FLIGHT,
    series.PREFILL_BUSY,
)
_GAUGES = frozenset({series.DISPERSION, series.QUEUED_REQUESTS, series.QUEUED_TOKENS})


@dataclass(slots=True)
class _Growth:
    """Increases of the gateway's counters in one interval."""

    totals: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    gauges: dict[str, float] = field(default_factory=dict)
    met: dict[tuple[str, str], float] = field(default_factory=lambda: defaultdict(float))
    cells: dict[tuple[int, int, int], float] = field(default_factory=lambda: defaultdict(float))
    in_flight: dict[str, float] = field(default_factory=dict)


class DirectScrape:
    """A `MetricsSource` that asks the processes themselves."""

    def __init__(
        self, gateway_url: str, batch_cap: Mapping[Role, int], engine: str = "vllm"
    ) -> None:
        self._gateway_url = gateway_url
        self._batch_cap = batch_cap
        self._names = series.ENGINE_SERIES[engine]
        self._counters = Counters()
        self._last_s: float | None = None
        self._http: aiohttp.ClientSession | None = None

    async def read(self, pods: Sequence[Pod]) -> Traffic:
        """Figures of the interval since the last call."""
        ready = [pod for pod in pods if pod.phase is PodPhase.READY]
        gateway, *engines = await asyncio.gather(
            self._scrape(self._gateway_url, _GATEWAY),
            *(self._scrape(pod.url, self._engine_names()) for pod in ready),
        )
        if not isinstance(gateway, Missing) and not any(r.name == series.ARRIVALS for r in gateway):
            gateway = Missing(f"{self._gateway_url}/metrics has no {series.ARRIVALS}")
        now_s = time.monotonic()
        by_role = _per_role(ready, engines)
        running = {role: self._mean(rows, self._names.running) for role, rows in by_role.items()}
        kv_usage = {role: self._mean(rows, self._names.kv_usage) for role, rows in by_role.items()}
        if isinstance(gateway, Missing):
            return _silent(gateway, running, kv_usage)
        interval_s = 0.0 if self._last_s is None else now_s - self._last_s
        self._last_s = now_s
        growth = self._growth(gateway)
        return _traffic(
            growth,
            interval_s,
            running,
            kv_usage,
            self._utilisation(growth, interval_s, ready, running),
        )

    async def close(self) -> None:
        """Close the connections."""
        if self._http is not None:
            await self._http.close()

    def _engine_names(self) -> tuple[str, ...]:
        return (self._names.running, self._names.waiting, self._names.kv_usage)

    async def _scrape(self, url: str, names: Sequence[str]) -> list[Sample] | Missing:
        if self._http is None:
            self._http = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2))
        try:
            async with self._http.get(f"{url}/metrics") as answer:
                answer.raise_for_status()
                return samples(await answer.text(), names)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            return Missing(f"{url}/metrics: {str(error) or type(error).__name__}")

    def _growth(self, rows: Sequence[Sample]) -> _Growth:
        """What grew since the last look; at the first look nothing did."""
        growth = _Growth()
        growth.gauges = {row.name: row.value for row in rows if row.name in _GAUGES}
        growth.in_flight = {
            row.labels.get("pod", ""): row.value for row in rows if row.name == series.IN_FLIGHT
        }
        counted = (row for row in rows if row.name not in {*_GAUGES, series.IN_FLIGHT})
        for row, increase in self._counters.increases(counted):
            if increase:
                _add(growth, row, increase)
        return growth

    def _mean(self, rows: Sequence[Sample | Missing], name: str) -> Reading:
        values = [row.value for row in rows if isinstance(row, Sample) and row.name == name]
        if values:
            return Figure(sum(values) / len(values))
        return next((row for row in rows if isinstance(row, Missing)), Missing(f"no {name}"))

    def _utilisation(
        self,
        growth: _Growth,
        interval_s: float,
        ready: Sequence[Pod],
        running: Mapping[Role, Reading],
    ) -> dict[Role, Reading]:
        """Prefill: share of time with a prompt in hand. Decode: share of the batch cap in use."""
        pods = sum(pod.role is Role.PREFILL for pod in ready)
        busy: Reading = Missing("no prefill pod was ready")
        if pods and interval_s > 0:
            busy = Figure(min(1.0, growth.totals[series.PREFILL_BUSY] / (pods * interval_s)))
        batch = running.get(Role.DECODE, Missing("no decode pod was ready"))
        if isinstance(batch, Figure):
            batch = Figure(batch.value / self._batch_cap[Role.DECODE])
        return {Role.PREFILL: busy, Role.DECODE: batch}


def _add(growth: _Growth, sample: Sample, increase: float) -> None:
    growth.totals[sample.name] += increase
    if sample.name == series.SLO:
        growth.met[(sample.labels["ttft"], sample.labels["tpot"])] += increase
    elif sample.name == series.LENGTHS:
        cell = tuple(int(sample.labels[key]) for key in ("input", "cached", "output"))
        growth.cells[(cell[0], cell[1], cell[2])] += increase


def _traffic(
    growth: _Growth,
    interval_s: float,
    running: Mapping[Role, Reading],
    kv_usage: Mapping[Role, Reading],
    utilisation: Mapping[Role, Reading],
) -> Traffic:
    met = growth.met
    cells = tuple((*cell, count) for cell, count in sorted(growth.cells.items()))
    return Traffic(
        interval_s=interval_s,
        arrivals=Figure(growth.totals[series.ARRIVALS]),
        dispersion=_gauge(growth, series.DISPERSION),
        lengths=LengthCounts(cells=cells),
        finished=Figure(sum(met.values())),
        met_ttft=Figure(met[("met", "met")] + met[("met", "missed")]),
        met_tpot=Figure(met[("met", "met")] + met[("missed", "met")]),
        met_both=Figure(met[("met", "met")]),
        queued_requests=_gauge(growth, series.QUEUED_REQUESTS),
        queued_tokens=_gauge(growth, series.QUEUED_TOKENS),
        running=running,
        kv_usage=kv_usage,
        utilisation=utilisation,
        in_flight=growth.in_flight,
    )


def _gauge(growth: _Growth, name: str) -> Reading:
    if name in growth.gauges:
        return Figure(growth.gauges[name])
    return Missing(f"the gateway does not export {name}")


def _silent(
    why: Missing, running: Mapping[Role, Reading], kv_usage: Mapping[Role, Reading]
) -> Traffic:
    """What is left to say when the gateway does not answer."""
    return Traffic(
        arrivals=why,
        dispersion=why,
        lengths=why,
        finished=why,
        met_ttft=why,
        met_tpot=why,
        met_both=why,
        queued_requests=why,
        queued_tokens=why,
        running=running,
        kv_usage=kv_usage,
    )


def _per_role(
    pods: Sequence[Pod], scrapes: Sequence[list[Sample] | Missing]
) -> dict[Role, list[Sample | Missing]]:
    rows: dict[Role, list[Sample | Missing]] = {role: [] for role in Role}
    for pod, scraped in zip(pods, scrapes, strict=True):
        rows[pod.role].extend([scraped] if isinstance(scraped, Missing) else scraped)
    return rows
