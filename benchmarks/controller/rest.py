"""CPU time of one turn of a fleet at rest, whole and by its parts, on an API server and a Prometheus in memory.

What is not in it: TLS, HTTP and what the watches tell (e2e/test_many_fleets.py prints the whole process's).

.venv/bin/python -m benchmarks.controller.rest [--fleets 20] [--turns 40]
"""

import argparse
import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

from tests.api import documents
from tests.fakes.controllers import run_controllers
from tests.fakes.kubernetes_api import FakeApiServer
from tests.fakes.operator_in_memory import IMAGES

from tandem.api.parse import parse_profile
from tandem.cluster import series
from tandem.cluster.kubernetes.api import KubernetesApi
from tandem.cluster.kubernetes.seen import Seen
from tandem.cluster.prometheus import Prometheus
from tandem.cluster.promql import FLEET, Answer
from tandem.controller.fleet_turn import FleetTurn
from tandem.controller.metrics import OperatorMetrics
from tandem.controller.pace import Pace
from tandem.controller.reporter import Reporter
from tandem.controller.sources import Sources
from tandem.controller.wanted import read
from tandem.planner.explain import explained
from tandem.planner.lengths import representative
from tandem.planner.plan import plan

NAMESPACE, GATEWAY = "prod", "gateway-0"
BEGAN_S, INTERVAL_S = 1_800_000_000.0, 5.0
SETTLING = 60  # turns until a fleet stands still
MOST = {"min": 1, "max": 12}
LOADS = ((2.0, 400, 100), (14.0, 1500, 30), (12.0, 300, 400), (16.0, 800, 150))
"""Of e2e/test_many_fleets.py: requests/s, input and output tokens."""

Row = dict[str, Any]
Turn = Callable[[], Awaitable[None]]


@dataclass
class World:
    """An API server, a Prometheus that has just scraped every fleet, and a clock that the benchmark sets."""

    names: Sequence[str]
    server: FakeApiServer = field(default_factory=FakeApiServer)
    seen: Seen = field(default_factory=Seen)
    pace: Pace = field(default_factory=Pace)
    now_s: float = BEGAN_S

    def rows(self) -> Iterator[Row]:
        """What Prometheus answers now."""
        for at, fleet in enumerate(self.names):
            rate_rps, inputs, outputs = LOADS[at % len(LOADS)]
            count = int(rate_rps * (self.now_s - BEGAN_S))
            sizes = {
                "input": representative(inputs),
                "cached": 0,
                "output": representative(outputs),
            }
            lengths = {label: str(tokens) for label, tokens in sizes.items()}
            met = {"ttft": "met", "tpot": "met"}
            for name, own in ((series.ARRIVALS, {}), (series.LENGTHS, lengths), (series.SLO, met)):
                yield self._row(fleet, GATEWAY, count, {"__name__": name, **own})
            for name in (series.DISPERSION, series.QUEUED_REQUESTS, series.QUEUED_TOKENS):
                yield self._row(fleet, GATEWAY, 1, {"__name__": name})
            yield self._row(fleet, GATEWAY, self.now_s, {"of": "sampled"})
            for body in self.seen.pods(NAMESPACE, fleet):
                yield from self._of_engine(fleet, body["metadata"]["name"])

    def _of_engine(self, fleet: str, pod: str) -> Iterator[Row]:
        names = series.ENGINE_SERIES["emulator"]
        for name, value in ((names.running, 1.0), (names.kv_usage, 0.1)):
            yield self._row(fleet, pod, value, {"__name__": name})
        yield self._row(fleet, pod, self.now_s, {"of": "sampled"})

    def _row(self, fleet: str, pod: str, value: float, own: Mapping[str, str]) -> Row:
        metric = {"namespace": NAMESPACE, FLEET: fleet, "pod": pod, **own}
        return {"metric": metric, "value": [self.now_s, str(value)]}


class InMemory(Prometheus):
    """Asked once for all fleets of a moment, as the real one is."""

    def __init__(self, world: World) -> None:
        super().__init__("http://prometheus")
        self._world = world
        self._told = Answer(())
        self._told_s = 0.0

    async def answer(self) -> tuple[Answer, float]:
        """What was scraped last."""
        if self._told_s != self._world.now_s:
            self._told, self._told_s = Answer(list(self._world.rows())), self._world.now_s
        return self._told, 0.0


class FromMemory(Sources):
    """Gives every fleet its figures of the one Prometheus."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._one = InMemory(world)

    def _server(self, spec: object) -> Prometheus:
        del spec
        return self._one


def turn_of(name: str, world: World, sources: Sources) -> Turn:
    """What a fleet does at each turn, as `FleetControl` has it do."""
    metrics = {"source": "prometheus", "prometheus": {"url": "http://prometheus"}}
    asked = documents.fleet(
        prefill__replicas=MOST, decode__replicas=MOST, metrics=metrics, engine__type="emulator"
    )
    metadata = {"name": name, "namespace": NAMESPACE, "generation": 1}
    profile = parse_profile(documents.profile())
    body = world.server.put({**asked, "metadata": metadata})
    wanted = read(body, {profile.metadata.name: profile})
    api = KubernetesApi(world.server)
    turns = FleetTurn(
        api=api,
        seen=world.seen,
        sources=sources,
        images=IMAGES,
        pace=world.pace,
        namespace=NAMESPACE,
        name=name,
        now_s=lambda: world.now_s,
    )
    reporter = Reporter(api, OperatorMetrics(), NAMESPACE, name)

    async def turn() -> None:
        await reporter.ticked(wanted, await turns.once(wanted), took_s=0.0)

    return turn


async def run(world: World, turns: Sequence[Turn], times: int) -> None:
    """So many turns of each fleet, one after the other."""
    for _ in range(times):
        world.now_s += INTERVAL_S
        for turn in turns:
            await turn()


def timed(spent_s: dict[str, float], part: str, call: Callable[..., Any]) -> Callable[..., Any]:
    """The call, its CPU time added to a part."""

    def wrapped(*arguments: Any, **named: Any) -> Any:
        began_s = time.thread_time()
        try:
            return call(*arguments, **named)
        finally:
            spent_s[part] += time.thread_time() - began_s

    return wrapped


async def main() -> None:
    """Print milliseconds a turn."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fleets", type=int, default=20)
    parser.add_argument("--turns", type=int, default=40)
    asked = parser.parse_args()
    world = World([f"fleet-{number}" for number in range(asked.fleets)])
    world.server.feed(world.seen)
    sources = FromMemory(world)
    turns = [turn_of(name, world, sources) for name in world.names]
    for _ in range(SETTLING):
        await run(world, turns, 1)
        run_controllers(world.server)
    spent_s: dict[str, float] = defaultdict(float)
    requests, began_s = len(world.server.requests), time.process_time()
    with (
        patch("tandem.controller.loop.plan", timed(spent_s, "plan()", plan)),
        patch("tandem.controller.chronicle.explained", timed(spent_s, "explained()", explained)),
    ):
        await run(world, turns, asked.turns)
    count = asked.turns * asked.fleets
    whole_s = time.process_time() - began_s
    spent_s["the rest"] = whole_s - sum(spent_s.values())
    for part, part_s in (("a turn", whole_s), *spent_s.items()):
        print(f"{part:12} {1000 * part_s / count:6.2f} ms")
    print(f"{(len(world.server.requests) - requests) / count:.2f} calls to the API server a turn")


if __name__ == "__main__":
    asyncio.run(main())
