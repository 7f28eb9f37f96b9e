"""The operator's HTTP port tells its figures, and that it has stopped."""

import aiohttp
import pytest
from prometheus_client import CollectorRegistry

from tandem.cluster.local.addresses import LOOPBACK, free_port
from tandem.controller.metrics import OperatorMetrics
from tandem.controller.server import serve


@pytest.mark.parametrize(
    ("busy_s", "status", "words"), [(0.0, 200, "ok"), (301.0, 503, "has lasted 301 s")]
)
async def test_health_is_that_no_turn_hangs(busy_s: float, status: int, words: str) -> None:
    port = free_port()
    runner = await serve(port, CollectorRegistry(), lambda: busy_s)
    try:
        async with (
            aiohttp.ClientSession() as http,
            http.get(f"http://{LOOPBACK}:{port}/healthz") as answer,
        ):
            assert answer.status == status
            assert words in await answer.text()
    finally:
        await runner.cleanup()


async def test_metrics_are_those_of_the_registry() -> None:
    port, figures = free_port(), CollectorRegistry()
    figures.register(OperatorMetrics(lambda: {("PUT", 409): 3}))
    runner = await serve(port, figures, lambda: 0.0)
    try:
        async with (
            aiohttp.ClientSession() as http,
            http.get(f"http://{LOOPBACK}:{port}/metrics") as answer,
        ):
            assert answer.content_type == "text/plain"
            text = await answer.text()
    finally:
        await runner.cleanup()
    assert 'tandem_api_requests_total{code="409",verb="PUT"} 3.0' in text
