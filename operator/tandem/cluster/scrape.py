"""Metrics by direct scrape of the gateway and the engines: for fleets of up to 64 pods.

A target that does not answer makes its figures `Missing`; those of others stay. Every figure carries
the seconds since it was true.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence

import aiohttp

from tandem.api.role import Role
from tandem.cluster.exposition import samples
from tandem.cluster.growth import GATEWAY, Look
from tandem.cluster.meter import Meter, ready
from tandem.cluster.pod import Pod
from tandem.planner.observation import Missing, Traffic

_TIMEOUT_S = 2.0  # of one scrape
_AT_ONCE = 32  # scrapes; the wait for one's turn does not count against its time


class DirectScrape:
    """A `MetricsSource` that asks the processes themselves.

    `gateways` is the address of the one gateway, or a function that names those of all replicas that
    are not gone: a Service would show one of them at a time. Addresses have no path.
    """

    def __init__(
        self,
        gateways: str | Callable[[], Sequence[str]],
        batch_cap: Mapping[Role, int],
        engine: str = "vllm",
    ) -> None:
        self._gateways = (lambda: (gateways,)) if isinstance(gateways, str) else gateways
        self._meter = Meter(batch_cap, engine)
        self._turn = asyncio.Semaphore(_AT_ONCE)
        self._http: aiohttp.ClientSession | None = None

    async def read(self, pods: Sequence[Pod]) -> Traffic:
        """Figures of the interval since the last call."""
        urls = list(dict.fromkeys(self._gateways()))
        asked = ready(pods)
        engine_names = self._meter.engine_names
        looks = await asyncio.gather(
            *(self._look(url, GATEWAY) for url in urls),
            *(self._look(pod.url, engine_names) for pod in asked),
        )
        gateways = dict(zip(urls, looks, strict=False))
        names = (pod.name for pod in asked)
        return self._meter.read(gateways, dict(zip(names, looks[len(urls) :], strict=True)), pods)

    async def close(self) -> None:
        """Close the connections."""
        if self._http is not None:
            await self._http.close()

    async def _look(self, url: str, names: Sequence[str]) -> Look | Missing:
        if self._http is None:
            self._http = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_TIMEOUT_S))
        try:
            async with self._turn, self._http.get(f"{url}/metrics") as answer:
                at_s = time.monotonic()
                answer.raise_for_status()
                rows = samples(await answer.text(), names)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            return Missing(f"{url}/metrics: {str(error) or type(error).__name__}")
        return Look(rows, at_s, time.monotonic() - at_s)
