"""A real Prometheus between the fleet and the operator: it tells what a direct scrape tells."""

import asyncio
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import aiohttp
import pytest
from e2e.gateway_process import PROFILE, gateway
from e2e.prometheus_process import prometheus

from tandem.api.role import Role
from tandem.cli.up.load import prompt
from tandem.cluster.local.addresses import LOOPBACK, free_port
from tandem.cluster.pod import Pod, PodPhase
from tandem.cluster.ports import MetricsSource
from tandem.cluster.prometheus import Prometheus, PrometheusSource
from tandem.cluster.scrape import DirectScrape
from tandem.controller.loop import observation
from tandem.perf.library import profile
from tandem.planner.model import Memory, Plan
from tandem.planner.observation import Figure, LengthCounts, Missing
from tandem.planner.plan import plan
from tandem.planner.spec import Behavior, FleetSpec, RoleSpec, Slo

pytestmark = [pytest.mark.e2e, pytest.mark.full]  # the cluster shows the same within less

NAMESPACE, FLEET, MODEL = "team-a", "chat", "tiny"
RATE_RPS, INPUT_TOKENS, OUTPUT_TOKENS = 8.0, 2000, 40
LOAD_S, TICK_S, SETTLE_S = 25.0, 2.5, 30.0
CAPS = dict.fromkeys(Role, 64)
SPEC = FleetSpec(
    slo=Slo(ttft_s=0.15, tpot_s=0.05),
    roles={role: RoleSpec(profile=profile(PROFILE)) for role in Role},
    behavior=Behavior(down_window_s=0.0, down_max_step=64, up_max_step=64),
)


@dataclass(slots=True)
class Seen:
    """What one source told over a run, added up, and what the planner made of it."""

    source: MetricsSource
    memory: Memory = field(default_factory=Memory)
    spent_s: float = 0.0
    arrivals: float = 0.0
    finished: float = 0.0
    lengths: Counter[tuple[int, int, int]] = field(default_factory=Counter)
    plan: Plan | None = None
    running: list[float] = field(default_factory=list)

    async def look(self, now_s: float, pods: Sequence[Pod]) -> None:
        traffic = await self.source.read(pods)
        assert isinstance(traffic.arrivals, Figure), traffic.arrivals
        assert isinstance(traffic.finished, Figure), traffic.finished
        assert isinstance(traffic.lengths, LengthCounts), traffic.lengths
        assert traffic.arrivals.exact
        assert 0 <= traffic.arrivals.age_s < 5
        running = traffic.running[Role.DECODE]
        assert isinstance(running, Figure), running
        self.running.append(running.value)
        self.spent_s += traffic.interval_s
        self.arrivals += traffic.arrivals.value
        self.finished += traffic.finished.value
        for *cell, count in traffic.lengths.cells:
            self.lengths[cell[0], cell[1], cell[2]] += round(count)
        seen = observation(now_s, pods, dict.fromkeys(Role, 1), traffic)
        self.plan = plan(seen, self.memory, SPEC)
        self.memory = self.plan.memory


@contextmanager
def emulators(folder: Path, roles: Sequence[Role]) -> Iterator[list[Pod]]:
    """Engines without GPUs, one for each role named."""
    started, pods = [], []
    program = str(Path(sys.executable).with_name("tandem-engine"))
    try:
        for number, role in enumerate(roles):
            port = free_port()
            flags = ["--port", str(port), "--profile", PROFILE, "--model", MODEL]
            with (folder / f"engine-{number}.log").open("wb") as log:
                started.append(
                    subprocess.Popen(
                        [program, "emulate", *flags, "--cold-start", "0s"], stdout=log, stderr=log
                    )
                )
            url = f"http://{LOOPBACK}:{port}"
            pods.append(Pod(name=f"{role}-{number}", role=role, phase=PodPhase.READY, url=url))
        for pod in pods:
            wait_until_healthy(pod.url)
        yield pods
    finally:
        for process in started:
            process.kill()
            process.wait()


def wait_until_healthy(url: str) -> None:
    until = time.monotonic() + 30.0
    while time.monotonic() < until:
        with suppress(URLError, OSError), urlopen(f"{url}/health", timeout=2):  # noqa: S310 - loopback
            return
        time.sleep(0.1)
    raise RuntimeError(f"{url} is not healthy")


def labels(pod: str, component: str, fleet: str = FLEET) -> dict[str, str]:
    return {
        "namespace": NAMESPACE,
        "pod": pod,
        "tandem_dev_fleet": fleet,
        "app_kubernetes_io_component": component,
    }


async def steady_load(url: str) -> None:
    """Poisson arrivals of one rate; returns when all have been answered."""
    sent, gaps = [], random.Random(1)  # noqa: S311 - no secret
    due_s = time.monotonic()
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as http:
        for number in range(round(RATE_RPS * LOAD_S)):
            due_s += gaps.expovariate(RATE_RPS)
            await asyncio.sleep(max(0.0, due_s - time.monotonic()))
            sent.append(asyncio.create_task(complete(http, url, number)))
        answered = await asyncio.gather(*sent)
    assert set(answered) == {200}


async def complete(http: aiohttp.ClientSession, url: str, number: int) -> int:
    body = {
        "model": MODEL,
        "prompt": prompt(INPUT_TOKENS, number),
        "max_tokens": OUTPUT_TOKENS,
        "ignore_eos": True,
    }
    async with http.post(f"{url}/v1/completions", json=body) as answer:
        await answer.read()
        return answer.status


@asynccontextmanager
async def both(gateway_url: str, server: str, pods: Sequence[Pod]) -> AsyncIterator[list[Seen]]:
    """Both sources, once Prometheus has scraped everything: before it there is nothing to compare."""
    direct, asked = DirectScrape(gateway_url, CAPS), Prometheus(server)
    source = PrometheusSource(asked, NAMESPACE, FLEET, CAPS)
    try:
        until = time.monotonic() + SETTLE_S
        while time.monotonic() < until:
            told = await PrometheusSource(asked, NAMESPACE, FLEET, CAPS).read(pods)
            figures = [told.arrivals, *told.running.values()]
            if all(isinstance(each, Figure) and each.exact for each in figures):
                break
            await asyncio.sleep(0.5)
        yield [Seen(direct), Seen(source)]
    finally:
        await direct.close()
        await asked.close()


async def test_on_steady_load_both_sources_count_alike_and_give_the_same_targets(
    tmp_path: Path,
) -> None:
    roles = [Role.PREFILL, Role.PREFILL, Role.DECODE]
    flags = ("--model", MODEL, "--ttft", "1s", "--tpot", "50ms")
    with emulators(tmp_path, roles) as pods, gateway(tmp_path, *flags) as front:
        front.list_pods(*((pod.name, pod.role, pod.url) for pod in pods), revision="r1")
        targets = {pod.url.removeprefix("http://"): labels(pod.name, "engine") for pod in pods}
        targets[front.url.removeprefix("http://")] = labels("chat-gateway-0", "gateway")
        targets[f"{LOOPBACK}:9"] = labels("gone-0", "gateway", fleet="gone")
        with prometheus(tmp_path, targets) as server:
            async with both(front.url, server, pods) as sources:
                now_s = 0.0
                await look(sources, now_s, pods)
                load = asyncio.create_task(steady_load(front.url))
                while not load.done():
                    await asyncio.sleep(TICK_S)
                    now_s += TICK_S
                    await look(sources, now_s, pods)
                await load
                steady = [(seen.arrivals / seen.spent_s, targets_of(seen)) for seen in sources]
                await asyncio.sleep(TICK_S)  # a scrape after the last answer
                await look(sources, now_s + TICK_S, pods)
            assert 'tandem_dev_fleet="nobody"' in await why_missing(server, "nobody")
            assert "can't scrape the gateway gone-0 (up is 0)" in await why_missing(server, "gone")
    direct, scraped = sources
    requests = round(RATE_RPS * LOAD_S)
    assert (direct.arrivals, direct.finished) == (requests, requests)
    assert (scraped.arrivals, scraped.finished) == (requests, requests)
    assert scraped.lengths == direct.lengths
    assert scraped.spent_s == pytest.approx(direct.spent_s, abs=2.5)  # phases of two scrapes
    assert max(scraped.running) > 0
    (direct_rps, direct_targets), (scraped_rps, scraped_targets) = steady
    assert scraped_rps == pytest.approx(direct_rps, rel=0.15)
    for role in Role:
        assert abs(direct_targets[role] - scraped_targets[role]) <= 1, steady
    assert direct_targets[Role.PREFILL] > 1  # the load asks for more than the least


async def look(sources: Sequence[Seen], now_s: float, pods: Sequence[Pod]) -> None:
    await asyncio.gather(*(seen.look(now_s, pods) for seen in sources))


def targets_of(seen: Seen) -> dict[Role, int]:
    assert seen.plan is not None
    return {role: decision.target for role, decision in seen.plan.roles.items()}


async def why_missing(server: str, fleet: str) -> str:
    asked = Prometheus(server)
    told = await PrometheusSource(asked, NAMESPACE, fleet, CAPS).read([])
    await asked.close()
    assert isinstance(told.arrivals, Missing)
    return told.arrivals.reason
