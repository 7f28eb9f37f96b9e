import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from tandem.api.role import Role
from tandem.cluster import series
from tandem.cluster.pod import Pod, PodPhase
from tandem.cluster.scrape import DirectScrape
from tandem.planner.cells import Cells
from tandem.planner.observation import Figure, LengthCounts, Missing, Reading


class Exporter:
    """A process whose /metrics is a text of the test's."""

    def __init__(self) -> None:
        self.text = ""
        self.server = TestServer(web.Application())
        self.server.app.router.add_get("/metrics", self.answer)

    async def answer(self, _request: web.Request) -> web.Response:
        return web.Response(text=self.text)

    @property
    def url(self) -> str:
        return str(self.server.make_url("")).rstrip("/")


@pytest.fixture
async def gateway() -> AsyncIterator[Exporter]:
    exporter = Exporter()
    await exporter.server.start_server()
    yield exporter
    await exporter.server.close()


@pytest.fixture
async def engine() -> AsyncIterator[Exporter]:
    exporter = Exporter()
    await exporter.server.start_server()
    yield exporter
    await exporter.server.close()


@pytest.fixture
async def source(gateway: Exporter) -> AsyncIterator[DirectScrape]:
    scrape = DirectScrape(gateway.url, dict.fromkeys(Role, 64))
    yield scrape
    await scrape.close()


def pod(role: Role, url: str, phase: PodPhase = PodPhase.READY) -> Pod:
    return Pod(name=f"{role}-0", role=role, phase=phase, url=url)


def value(reading: Reading) -> float:
    assert isinstance(reading, Figure), reading
    return reading.value


def gateway_text(arrivals: int, met: int, missed: int, busy_s: float = 0.0) -> str:
    return f"""
{series.ARRIVALS} {arrivals}
{series.SLO}{{ttft="met",tpot="met"}} {met}
{series.SLO}{{ttft="missed",tpot="met"}} {missed}
{series.LENGTHS}{{input="1000",cached="0",output="200"}} {met + missed}
{series.PROMPTS}{{input="1000",cached="0"}} {arrivals}
{series.QUEUED_REQUESTS} 3
{series.QUEUED_TOKENS} 4100
{series.DISPERSION} 1.5
{series.IN_FLIGHT}{{role="decode",target_pod="decode-0"}} 7
{series.PREFILL_BUSY}{{target_pod="prefill-0"}} {busy_s}
"""


async def test_counters_are_what_grew_since_the_last_look(
    gateway: Exporter, source: DirectScrape
) -> None:
    gateway.text = gateway_text(arrivals=100, met=50, missed=10)
    first = await source.read([])
    gateway.text = gateway_text(arrivals=112, met=58, missed=11)
    second = await source.read([])
    assert value(first.arrivals) == 0
    assert (value(second.arrivals), value(second.finished)) == (12, 9)
    assert (value(second.met_both), value(second.met_ttft), value(second.met_tpot)) == (8, 8, 9)
    assert second.lengths == LengthCounts(cells=Cells.of((1000, 0, 200, 9.0)))
    assert second.prompts == LengthCounts(cells=Cells.of((1000, 0, 1, 12.0)))
    assert (value(second.queued_requests), value(second.queued_tokens)) == (3, 4100)
    assert second.in_flight == {"decode-0": 7}
    assert 0 < second.interval_s < 5


async def test_prompts_of_a_gateway_that_counts_none_are_missing_and_not_zero(
    gateway: Exporter, source: DirectScrape
) -> None:
    for met in (50, 58):
        lines = gateway_text(arrivals=2 * met, met=met, missed=0).splitlines()
        gateway.text = "\n".join(line for line in lines if series.PROMPTS not in line)
        seen = await source.read([])
    assert seen.lengths == LengthCounts(cells=Cells.of((1000, 0, 200, 8.0)))
    assert isinstance(seen.prompts, Missing)


async def test_a_gateway_that_is_away_is_missing_and_never_zero(
    gateway: Exporter, source: DirectScrape
) -> None:
    url = gateway.url
    await gateway.server.close()
    seen = await source.read([])
    assert isinstance(seen.arrivals, Missing)
    assert url in seen.arrivals.reason
    assert isinstance(seen.lengths, Missing)
    assert isinstance(seen.queued_requests, Missing)


async def test_counts_of_the_time_the_gateway_was_away_come_with_the_next_look(
    gateway: Exporter, source: DirectScrape
) -> None:
    gateway.text = gateway_text(arrivals=100, met=50, missed=0)
    await source.read([])
    gateway.text = "not an exposition {"
    broken = await source.read([])
    gateway.text = gateway_text(arrivals=130, met=50, missed=0)
    assert isinstance(broken.arrivals, Missing)
    assert value((await source.read([])).arrivals) == 30


async def test_engines_are_averaged_per_role_and_those_not_ready_are_not_asked(
    gateway: Exporter, engine: Exporter, source: DirectScrape
) -> None:
    gateway.text = gateway_text(arrivals=1, met=0, missed=0)
    engine.text = """
vllm:num_requests_running{engine="0",model_name="m"} 16
vllm:kv_cache_usage_perc{engine="0",model_name="m"} 0.25
"""
    pods = [
        pod(Role.DECODE, engine.url),
        pod(Role.PREFILL, "http://127.0.0.1:9", PodPhase.STARTING),
    ]
    seen = await source.read(pods)
    assert value(seen.running[Role.DECODE]) == 16
    assert value(seen.kv_usage[Role.DECODE]) == 0.25
    assert value(seen.utilisation[Role.DECODE]) == 16 / 64
    assert isinstance(seen.utilisation[Role.PREFILL], Missing)


async def test_an_engine_that_does_not_answer_is_missing(
    gateway: Exporter, source: DirectScrape
) -> None:
    gateway.text = gateway_text(arrivals=1, met=0, missed=0)
    seen = await source.read([pod(Role.DECODE, "http://127.0.0.1:9")])
    assert isinstance(seen.running[Role.DECODE], Missing)


async def test_latencies_are_means_of_what_the_gateways_histograms_took_in(
    gateway: Exporter, source: DirectScrape
) -> None:
    def text(ttft: tuple[float, int], tpot: tuple[float, int]) -> str:
        taken = {series.TTFT: ttft, series.TPOT: tpot}
        rows = [f"{name}_sum {total}\n{name}_count {n}\n" for name, (total, n) in taken.items()]
        return gateway_text(arrivals=1, met=0, missed=0) + "".join(rows)

    gateway.text = text((100.0, 50), (3.0, 40))
    first = await source.read([])
    gateway.text = text((106.0, 54), (3.0, 40))
    second = await source.read([])
    assert isinstance(first.ttft_s, Missing)
    assert value(second.ttft_s) == pytest.approx(1.5)
    assert isinstance(second.tpot_s, Missing)


async def test_output_tokens_are_those_of_decode_engines_since_the_last_look(
    gateway: Exporter, engine: Exporter, source: DirectScrape
) -> None:
    def text(tokens: int) -> str:
        return f'{series.VLLM.generation_tokens}{{engine="0"}} {tokens}\n'

    pods = [pod(Role.DECODE, engine.url), pod(Role.PREFILL, engine.url)]
    gateway.text, engine.text = gateway_text(arrivals=1, met=0, missed=0), text(5000)
    first = await source.read(pods)
    engine.text = text(5700)
    second = await source.read(pods)
    assert (value(first.output_tokens), value(second.output_tokens)) == (0, 700)


async def test_what_kv_takes_to_come_is_the_mean_over_decode_engines_since_the_last_look(
    gateway: Exporter, engine: Exporter, source: DirectScrape
) -> None:
    def text(taken_s: float, count: int) -> str:
        total_s, counted = series.VLLM.transfers
        return f'{total_s}{{engine="0"}} {taken_s}\n{counted}{{engine="0"}} {count}\n'

    pods = [pod(Role.DECODE, engine.url), pod(Role.PREFILL, engine.url)]
    gateway.text, engine.text = gateway_text(arrivals=1, met=0, missed=0), text(50.0, 100)
    first = await source.read(pods)
    engine.text = text(53.0, 110)
    second, third = [(await source.read(pods)).transfer_s for _ in range(2)]

    assert value(second) == pytest.approx(0.3)
    assert first.transfer_s == third == Missing("no KV came in the interval")


async def test_prefill_utilisation_is_the_share_of_time_with_a_prompt_in_hand(
    gateway: Exporter, engine: Exporter, source: DirectScrape
) -> None:
    pods = [pod(Role.PREFILL, engine.url)]
    gateway.text = gateway_text(arrivals=1, met=0, missed=0, busy_s=10.0)
    await source.read(pods)
    gateway.text = gateway_text(arrivals=1, met=0, missed=0, busy_s=1000.0)
    assert value((await source.read(pods)).utilisation[Role.PREFILL]) == 1.0


async def test_replicas_of_the_gateway_are_summed_as_they_come_and_go(
    gateway: Exporter, engine: Exporter
) -> None:
    urls = [gateway.url, engine.url]
    source = DirectScrape(lambda: urls, dict.fromkeys(Role, 64))
    seen = []
    for arrivals in (100, 110, 120):
        gateway.text = gateway_text(arrivals=arrivals, met=0, missed=0)
        engine.text = gateway_text(arrivals=2 * arrivals, met=0, missed=0)
        seen.append(await source.read([]))
        if arrivals == 110:
            urls.remove(engine.url)
    await source.close()
    assert [value(each.arrivals) for each in seen] == [0, 30, 10]
    assert [isinstance(x.arrivals, Figure) and x.arrivals.exact for x in seen] == [
        True,
        True,
        False,
    ]
    assert (value(seen[1].queued_requests), value(seen[2].queued_requests)) == (6, 3)
    assert seen[1].in_flight == {"decode-0": 14}


async def test_one_replica_that_hangs_makes_arrivals_missing_not_fewer(
    gateway: Exporter, engine: Exporter
) -> None:
    gateway.text = engine.text = gateway_text(arrivals=100, met=0, missed=0)
    away = engine.url
    source = DirectScrape(lambda: [gateway.url, away], dict.fromkeys(Role, 64))
    await source.read([])
    await engine.server.close()
    seen = await source.read([])
    await source.close()
    assert isinstance(seen.arrivals, Missing)
    assert away in seen.arrivals.reason


async def test_no_gateway_is_missing(gateway: Exporter) -> None:
    source = DirectScrape(list, dict.fromkeys(Role, 64))
    seen = await source.read([])
    await source.close()
    assert isinstance(seen.arrivals, Missing)


async def test_64_pods_are_asked_a_bounded_number_at_a_time(gateway: Exporter) -> None:
    """Waiting for one's turn does not count as not answering."""
    at_once = most = 0

    async def slow(_request: web.Request) -> web.Response:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(0.05)
        at_once -= 1
        return web.Response(text="vllm:num_requests_running 4\n")

    crowd = TestServer(web.Application())
    crowd.app.router.add_get("/{pod}/metrics", slow)
    await crowd.start_server()
    pods = [
        Pod(
            name=f"d{number}",
            role=Role.DECODE,
            phase=PodPhase.READY,
            url=str(crowd.make_url(f"/{number}")),
        )
        for number in range(64)
    ]
    gateway.text = gateway_text(arrivals=1, met=0, missed=0)
    source = DirectScrape(gateway.url, dict.fromkeys(Role, 64))
    running = (await source.read(pods)).running[Role.DECODE]
    await source.close()
    await crowd.close()
    assert isinstance(running, Figure)
    assert (running.value, running.exact) == (4, True)
    assert 2 <= most <= 32
