import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import pytest
from tests.fakes.cluster import FakeCluster
from tests.fakes.decisions import FakeDecisions

from tandem.api.role import Role
from tandem.cluster.pod import Pod, PodPhase
from tandem.controller.chronicle import Chronicle
from tandem.controller.loop import FleetLoop, Tick, drain_order, observation
from tandem.perf.library import profile
from tandem.planner.cells import Cells
from tandem.planner.model import Memory
from tandem.planner.observation import Figure, LengthCounts, Missing, Traffic
from tandem.planner.spec import Behavior, FleetSpec, RoleSpec, Slo


@dataclass
class FakeMetrics:
    """Answers with the traffic of the day."""

    traffic: Traffic = field(default_factory=Traffic)

    async def read(self, pods: Sequence[Pod]) -> Traffic:
        return self.traffic


@dataclass
class FakeStore:
    """Keeps what was saved last."""

    memory: Memory = field(default_factory=Memory)
    saves: int = 0

    async def load(self) -> Memory:
        return self.memory

    async def save(self, memory: Memory, *, changed: bool) -> None:
        self.memory = memory
        self.saves += 1


class Noted(list[Tick]):
    """Ticks as they are reported; `said` is set at each."""

    said: asyncio.Event

    def append(self, tick: Tick) -> None:
        super().append(tick)
        self.said.set()


ENGINE = profile("a100-opt-13b-tp1")


def spec(policy: str = "static", **parameters: float) -> FleetSpec:
    return FleetSpec(
        slo=Slo(ttft_s=1.0, tpot_s=0.05),
        roles={role: RoleSpec(profile=ENGINE, max_replicas=9) for role in Role},
        policy=policy,
        parameters=parameters,
        interval_s=0.01,
        behavior=Behavior(down_window_s=0.0),
    )


def loop(
    cluster: FakeCluster,
    metrics: FakeMetrics,
    fleet: FleetSpec,
    ticks: list[Tick],
    *,
    store: FakeStore | None = None,
    decisions: FakeDecisions | None = None,
    now_s: Callable[[], float] = lambda: 1000.0,
) -> FleetLoop:
    return FleetLoop(
        cluster=cluster,
        metrics=metrics,
        spec=fleet,
        store=store or FakeStore(),
        chronicle=Chronicle(decisions or FakeDecisions()),
        now_s=now_s,
        report=ticks.append,
    )


LIVE = Traffic(
    interval_s=5.0,
    arrivals=Figure(10.0),
    lengths=LengthCounts(cells=Cells.of((1000, 0, 200, 8.0))),
    in_flight={"decode-0": 3.0, "decode-1": 1.0},
)


async def test_a_tick_asks_the_cluster_for_what_was_planned_and_remembers() -> None:
    cluster, store = FakeCluster(), FakeStore()
    fleet = spec(prefill=2, decode=3)
    done = await loop(cluster, FakeMetrics(LIVE), fleet, [], store=store).tick()
    assert cluster.wanted == {Role.PREFILL: 2, Role.DECODE: 3}
    assert {(c.role, c.before, c.after) for c in done.changes} == {
        (Role.PREFILL, 1, 2),
        (Role.DECODE, 1, 3),
    }
    assert all(change.reason for change in done.changes)
    assert store.saves == 1


async def test_a_second_tick_with_the_same_view_changes_nothing() -> None:
    cluster = FakeCluster()
    running = loop(cluster, FakeMetrics(LIVE), spec(prefill=2, decode=3), [])
    await running.tick()
    cluster.calls.clear()
    again = await running.tick()
    assert cluster.calls == []
    assert again.changes == ()


async def test_without_data_nothing_moves_and_the_reason_is_said() -> None:
    cluster, metrics = FakeCluster(), FakeMetrics(LIVE)
    clock = iter([1000.0, 1120.0])
    running = loop(cluster, metrics, spec("tandem"), [], now_s=lambda: next(clock))
    await running.tick()
    cluster.calls.clear()
    metrics.traffic = Traffic(arrivals=Missing("the gateway does not answer"))
    done = await running.tick()
    assert cluster.calls == []
    assert done.plan is not None
    assert "the gateway does not answer" in " ".join(d.reason for d in done.plan.roles.values())


async def test_a_paused_fleet_is_planned_for_and_left_alone() -> None:
    cluster = FakeCluster()
    fleet = replace(spec(prefill=2, decode=3), paused=True)
    done = await loop(cluster, FakeMetrics(LIVE), fleet, []).tick()
    assert cluster.calls == []
    assert done.changes == ()
    assert done.plan is not None
    assert done.plan.roles[Role.DECODE].target == 3


async def test_what_shrinks_is_asked_for_before_what_grows() -> None:
    cluster = FakeCluster(wanted={Role.PREFILL: 1, Role.DECODE: 4})
    await loop(cluster, FakeMetrics(LIVE), spec(prefill=3, decode=3), []).tick()
    assert [(role, replicas) for role, replicas, _ in cluster.calls] == [
        (Role.DECODE, 3),
        (Role.PREFILL, 3),
    ]


async def test_a_tick_that_fails_is_reported_and_the_next_one_goes_on() -> None:
    cluster = FakeCluster(broken="no room on this machine")
    ticks, stop, said = Noted(), asyncio.Event(), asyncio.Event()
    ticks.said = said
    running = asyncio.create_task(
        loop(cluster, FakeMetrics(LIVE), spec(prefill=2, decode=2), ticks).run(stop)
    )
    async with asyncio.timeout(5.0):
        await said.wait()
        cluster.broken = ""
        said.clear()
        await said.wait()
    stop.set()
    await running
    assert ticks[0].error == "OSError: no room on this machine"
    assert ticks[-1].error == ""
    assert cluster.wanted == {Role.PREFILL: 2, Role.DECODE: 2}


def pod(name: str, role: Role, phase: PodPhase, asked_s: float = 0.0) -> Pod:
    return Pod(name=name, role=role, phase=phase, url="", asked_s=asked_s)


def test_pods_are_counted_by_role_and_phase() -> None:
    pods = [
        pod("a", Role.PREFILL, PodPhase.READY),
        pod("b", Role.PREFILL, PodPhase.STARTING),
        pod("c", Role.DECODE, PodPhase.DRAINING),
    ]
    seen = observation(7.0, pods, {Role.PREFILL: 2, Role.DECODE: 0}, Traffic())
    prefill, decode = seen.pods[Role.PREFILL], seen.pods[Role.DECODE]
    assert (prefill.desired, prefill.ready, prefill.starting, prefill.draining) == (2, 1, 1, 0)
    assert (decode.desired, decode.ready, decode.starting, decode.draining) == (0, 0, 0, 1)


@pytest.mark.parametrize(
    ("revisions", "expected"),
    [
        pytest.param([], "", id="nobody serves"),
        pytest.param(["a", "a", "b"], "a", id="most"),
        pytest.param(["a", "b"], "b", id="of equals the youngest"),
        pytest.param(["a", "b", "a", "b", "b"], "b", id="the new one, once it has more"),
    ],
)
def test_the_revision_that_serves_is_told(revisions: list[str], expected: str) -> None:
    ready = [
        replace(pod(f"p{at}", Role.DECODE, PodPhase.READY, at), revision=revision)
        for at, revision in enumerate(revisions)
    ]
    starting = [
        replace(pod(f"s{at}", Role.DECODE, PodPhase.STARTING), revision="c") for at in range(9)
    ]
    assert observation(7.0, [*ready, *starting], {}, Traffic()).revision == expected


@pytest.mark.parametrize(
    ("in_flight", "order"),
    [
        pytest.param({"a": 3.0, "b": 1.0, "c": 2.0}, ["b", "c", "a"], id="least in flight first"),
        pytest.param({}, ["c", "b", "a"], id="the youngest where nothing is known"),
    ],
)
def test_who_drains_first(in_flight: dict[str, float], order: list[str]) -> None:
    pods = [pod(name, Role.DECODE, PodPhase.READY, at) for at, name in enumerate("abc")]
    pods.append(pod("x", Role.DECODE, PodPhase.STARTING))
    pods.append(pod("p", Role.PREFILL, PodPhase.READY))
    assert drain_order(pods, Role.DECODE, in_flight) == order
