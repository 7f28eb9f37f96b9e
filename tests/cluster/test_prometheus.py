import asyncio
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.fakes.prometheus_server import NOW_S, PrometheusServer, row, sampled, unreached

from tandem.api.role import Role
from tandem.cluster import series
from tandem.cluster.pod import Pod, PodPhase
from tandem.cluster.prometheus import Prometheus, PrometheusSource
from tandem.planner.cells import Cells
from tandem.planner.observation import Figure, LengthCounts, Missing, Reading, Traffic

CAPS = dict.fromkeys(Role, 64)
RUNNING, KV_USAGE = series.VLLM.running, series.VLLM.kv_usage
PODS = [
    Pod(name="p", role=Role.PREFILL, phase=PodPhase.READY, url="http://10.0.0.1:8000"),
    Pod(name="d", role=Role.DECODE, phase=PodPhase.READY, url="http://10.0.0.2:8000"),
]


@pytest.fixture
async def server() -> AsyncIterator[PrometheusServer]:
    made = PrometheusServer()
    await made.server.start_server()
    yield made
    await made.server.close()


@pytest.fixture
async def asked(server: PrometheusServer) -> AsyncIterator[Prometheus]:
    made = Prometheus(server.url, fresh_s=0.0)
    yield made
    await made.close()


@pytest.fixture
def source(asked: Prometheus) -> PrometheusSource:
    return PrometheusSource(asked, "team-a", "chat", CAPS)


def gateway(at_s: float, arrivals: object, met: float = 0, pod: str = "g") -> list[dict[str, Any]]:
    return [
        row(series.ARRIVALS, pod, arrivals),
        row(series.SLO, pod, met, ttft="met", tpot="met"),
        row(series.LENGTHS, pod, met, input="1000", cached="0", output="200"),
        row(series.PREFILL_BUSY, pod, arrivals, **{series.TARGET_POD: "p"}),
        row(series.QUEUED_REQUESTS, pod, 3),
        row(series.QUEUED_TOKENS, pod, 4100),
        row(series.DISPERSION, pod, 1.5),
        row(series.IN_FLIGHT, pod, 7, role="decode", **{series.TARGET_POD: "d"}),
        sampled(pod, at_s),
    ]


def value(reading: Reading) -> float:
    assert isinstance(reading, Figure), reading
    return reading.value


def reason(traffic: Traffic) -> str:
    """Why arrivals are missing; whatever else the gateway tells is missing with them."""
    assert isinstance(traffic.arrivals, Missing), traffic.arrivals
    assert isinstance(traffic.lengths, Missing)
    assert isinstance(traffic.queued_requests, Missing)
    return traffic.arrivals.reason


async def test_counts_are_raw_growth_over_the_time_between_the_scrapes(
    server: PrometheusServer, source: PrometheusSource
) -> None:
    server.rows = gateway(-15, 100, met=50)
    first = await source.read(PODS)
    server.rows = gateway(-2, 112, met=58)
    second = await source.read(PODS)
    assert (value(first.arrivals), first.interval_s) == (0, 0)
    assert (value(second.arrivals), second.interval_s) == (12, 13)
    assert second.lengths == LengthCounts(cells=Cells.of((1000, 0, 200, 8.0)))
    assert (value(second.finished), value(second.met_both)) == (8, 8)
    assert (value(second.queued_requests), value(second.queued_tokens)) == (3, 4100)
    assert second.in_flight == {"d": 7}
    assert value(second.utilisation[Role.PREFILL]) == pytest.approx(12 / 13)
    assert isinstance(second.arrivals, Figure)
    assert second.arrivals.exact
    assert 2 <= second.arrivals.age_s < 4


async def test_latencies_and_output_tokens_are_growth_too(
    server: PrometheusServer, source: PrometheusSource
) -> None:
    def rows(at_s: float, arrivals: int, ttft: tuple[float, int], tokens: int) -> list[Any]:
        taken = [row(f"{series.TTFT}_sum", "g", ttft[0]), row(f"{series.TTFT}_count", "g", ttft[1])]
        engine = [row(series.VLLM.generation_tokens, "d", tokens, engine="0"), sampled("d", at_s)]
        return [*gateway(at_s, arrivals), *taken, *engine]

    server.rows = rows(-15, 100, (30.0, 20), 9000)
    await source.read(PODS)
    server.rows = rows(-5, 110, (36.0, 23), 9800)
    seen = await source.read(PODS)
    assert value(seen.ttft_s) == pytest.approx(2.0)
    assert value(seen.output_tokens) == 800
    assert isinstance(seen.tpot_s, Missing)


async def test_the_same_scrape_read_again_is_no_new_interval_and_its_figures_stay(
    server: PrometheusServer, source: PrometheusSource
) -> None:
    for at_s, arrivals in ((-30, 100), (-15, 112), (-15, 112)):
        server.rows = gateway(at_s, arrivals)
        seen = await source.read(PODS)
    assert (value(seen.arrivals), seen.interval_s) == (0, 0)
    assert value(seen.utilisation[Role.PREFILL]) == pytest.approx(12 / 15)
    assert value(seen.queued_tokens) == 4100


async def test_engines_are_known_by_their_pod_and_averaged_per_role(
    server: PrometheusServer, source: PrometheusSource
) -> None:
    engine = [row(RUNNING, "d", 16, engine="0"), row(KV_USAGE, "d", 0.25, engine="0")]
    server.rows = [*gateway(-1, 5), *engine, sampled("d", -4)]
    seen = await source.read(PODS)
    running = seen.running[Role.DECODE]
    assert isinstance(running, Figure)
    assert (running.value, running.exact) == (16, True)
    assert 4 <= running.age_s < 6
    assert value(seen.kv_usage[Role.DECODE]) == 0.25
    assert value(seen.utilisation[Role.DECODE]) == 16 / 64
    prefill = seen.running[Role.PREFILL]
    assert isinstance(prefill, Missing)
    assert "no scrape of the engine p" in prefill.reason


async def test_a_mean_that_lacks_a_pod_is_not_exact(
    server: PrometheusServer, source: PrometheusSource
) -> None:
    other = Pod(name="e", role=Role.DECODE, phase=PodPhase.READY, url="http://10.0.0.3:8000")
    server.rows = [*gateway(-1, 5), row(RUNNING, "d", 16), sampled("d", -1)]
    running = (await source.read([*PODS, other])).running[Role.DECODE]
    assert isinstance(running, Figure)
    assert (running.value, running.exact) == (16, False)


async def test_an_empty_answer_is_missing_and_says_what_to_look_for(
    server: PrometheusServer, source: PrometheusSource
) -> None:
    why = reason(await source.read(PODS))
    assert f'{series.ARRIVALS}{{namespace="team-a", tandem_dev_fleet="chat"}}' in why
    assert server.url in why


async def test_gateways_without_a_pod_label_are_not_taken_for_one(
    server: PrometheusServer, source: PrometheusSource
) -> None:
    server.rows = gateway(-1, 100, pod="")
    assert "without a pod" in reason(await source.read(PODS))


async def test_another_fleets_rows_are_not_ours(
    server: PrometheusServer, asked: Prometheus
) -> None:
    server.rows = gateway(-1, 100)
    other = PrometheusSource(asked, "team-b", "chat", CAPS)
    assert 'namespace="team-b"' in reason(await other.read(PODS))


async def test_a_gateway_that_cannot_be_scraped_is_said_while_others_can(
    server: PrometheusServer, source: PrometheusSource
) -> None:
    server.rows = [*gateway(-15, 100), *gateway(-14, 50, pod="h")]
    await source.read(PODS)
    server.rows = [*gateway(-5, 110), unreached("h")]
    assert "can't scrape the gateway h" in reason(await source.read(PODS))


async def test_a_figure_that_is_no_number_is_missing(
    server: PrometheusServer, source: PrometheusSource
) -> None:
    server.rows = [*gateway(-1, "NaN"), row(RUNNING, "d", "+Inf"), sampled("d", -1)]
    seen = await source.read(PODS)
    assert "number" in reason(seen)
    assert isinstance(seen.running[Role.DECODE], Missing)


@pytest.mark.parametrize(
    ("status", "hint"),
    [
        (400, "query"),
        (401, "tokenFile"),
        (403, "token"),
        (404, "root"),
        (422, "same namespace and pod"),
        (429, "too many queries"),
        (500, "its log"),
        (503, "starting"),
        (599, "599"),
    ],
)
async def test_a_refusal_is_missing_with_what_to_do(
    server: PrometheusServer, source: PrometheusSource, status: int, hint: str
) -> None:
    server.status, server.body = status, "go away"
    why = reason(await source.read(PODS))
    assert str(status) in why
    assert hint in why
    assert "go away" in why
    assert len(server.asked) == 1  # no retries: the next tick is one


@pytest.mark.parametrize(
    "body",
    [
        "<html>please log in</html>",
        "",
        "[]",
        "null",
        '{"status": "error"}',
        '{"data": {"resultType": "scalar", "result": [1, "2"]}}',
        '{"data": {"resultType": "matrix", "result": [{"metric": {}, "values": []}]}}',
        '{"data": {"result": [{"metric": ["x"], "value": [1, "2"]}]}}',
        '{"data": {"result": null}}',
    ],
)
async def test_an_answer_of_another_form_is_missing(
    server: PrometheusServer, source: PrometheusSource, body: str
) -> None:
    server.body = body
    assert server.url in reason(await source.read(PODS))


@pytest.mark.parametrize("value", [[NOW_S, "many"], [NOW_S], None, {}])
async def test_a_broken_row_is_missing(
    server: PrometheusServer, source: PrometheusSource, value: object
) -> None:
    server.rows = gateway(-1, 100)
    server.rows[0] = {**server.rows[0], "value": value}
    assert "instant vector" in reason(await source.read(PODS))


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9", "http://nowhere.invalid", "nonsense", "http://", "http://["]
)
async def test_a_wrong_url_is_missing(url: str) -> None:
    asked = Prometheus(url)
    seen = await PrometheusSource(asked, "team-a", "chat", CAPS).read(PODS)
    await asked.close()
    assert "can't be reached" in reason(seen)
    assert "object at 0x" not in reason(seen)


async def test_a_server_that_hangs_is_missing_in_time_and_holds_one_question() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        asked = Prometheus(f"http://127.0.0.1:{listener.getsockname()[1]}", timeout_s=0.3)
        sources = [PrometheusSource(asked, "team-a", f"fleet-{i}", CAPS) for i in range(20)]
        began_s = time.monotonic()
        seen = await asyncio.gather(*(source.read([]) for source in sources))
        assert time.monotonic() - began_s < 2
        await asked.close()
        listener.settimeout(0)
        connections = 0
        try:
            while True:
                listener.accept()[0].close()
                connections += 1
        except BlockingIOError:
            pass
    assert {reason(each) for each in seen} == {reason(seen[0])}
    assert "did not answer within 0.3 s" in reason(seen[0])
    assert connections == 1


async def test_fleets_that_tick_together_share_one_question(server: PrometheusServer) -> None:
    server.rows = gateway(-1, 100)
    asked = Prometheus(server.url, fresh_s=60.0)
    sources = [PrometheusSource(asked, "team-a", "chat", CAPS) for _ in range(100)]
    seen = await asyncio.gather(*(source.read(PODS) for source in sources))
    later = await sources[0].read(PODS)
    await asked.close()
    assert len(server.asked) == 1
    assert all(isinstance(each.arrivals, Figure) for each in [*seen, later])


async def test_the_token_is_read_anew_for_each_question(
    server: PrometheusServer, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    asked = Prometheus(server.url, str(file), fresh_s=0.0)
    source = PrometheusSource(asked, "team-a", "chat", CAPS)
    missing = reason(await source.read(PODS))
    for token in ("first", "second\n"):
        file.write_text(token)
        await source.read(PODS)
    await asked.close()
    assert str(file) in missing
    sent = [request.headers["Authorization"] for request in server.asked]
    assert sent == ["Bearer first", "Bearer second"]


async def test_a_gap_is_bridged_with_all_that_was_counted_in_it(
    server: PrometheusServer, source: PrometheusSource
) -> None:
    server.rows = gateway(-60, 100)
    await source.read(PODS)
    server.status = 503
    reason(await source.read(PODS))
    server.status, server.rows = 200, gateway(-1, 190)
    after = await source.read(PODS)
    assert (value(after.arrivals), after.interval_s) == (90, 59)
