"""A program that stands for Prometheus: it answers queries with what a test put there."""

import json
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

NOW_S = 1_800_000_000.0
FLEET = {"namespace": "team-a", "tandem_dev_fleet": "chat"}


def row(name: str | None, pod: str, value: object, /, **labels: str) -> dict[str, Any]:
    """One series of the fleet `chat` in `team-a`, as an instant vector has it."""
    named = {} if name is None else {"__name__": name}
    metric = {**named, **FLEET, "pod": pod, **labels}
    return {"metric": metric, "value": [NOW_S, str(value)]}


def sampled(pod: str, at_s: float) -> dict[str, Any]:
    """When a pod was scraped, seconds before or after the first look."""
    return row(None, pod, NOW_S + at_s, of="sampled")


def unreached(pod: str) -> dict[str, Any]:
    """A gateway whose scrape failed."""
    return row(None, pod, 0, of="unreached")


@dataclass(slots=True)
class PrometheusServer:
    """Answers every query with `rows`, or with `status` and `body`; keeps what it was asked."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    status: int = 200
    body: str | None = None
    asked: list[web.Request] = field(default_factory=list)
    server: TestServer = field(init=False)

    def __post_init__(self) -> None:
        self.server = TestServer(web.Application())
        self.server.app.router.add_post("/api/v1/query", self.answer)

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(request)
        result = {"status": "success", "data": {"resultType": "vector", "result": self.rows}}
        text = json.dumps(result) if self.body is None else self.body
        return web.Response(text=text, status=self.status, content_type="application/json")

    @property
    def url(self) -> str:
        return str(self.server.make_url("")).rstrip("/")
