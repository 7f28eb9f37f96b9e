"""A hundred fleets at once: each gets the pods it needs, and the API server hardly notices."""

import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import yaml
from e2e.cluster.access import Box
from e2e.cluster.fake_nodes import add_fake_nodes, remove_fake_nodes, start_kwok
from e2e.cluster.places import BoxError, say
from e2e.fleet import ROLES, Fleet, emulated, profile
from e2e.operator_process import Operator, installed_one_stopped, kubeconfig, operator, token
from e2e.prometheus_process import running
from e2e.scripted_metrics import Load, Script, exported

from tandem.api.engine_profile import EngineProfile
from tandem.api.parse import parse_fleet, parse_profile
from tandem.api.role import Role
from tandem.cluster.local.addresses import LOOPBACK, free_port
from tandem.planner.cells import Cells
from tandem.planner.from_resource import fleet_spec
from tandem.planner.lengths import representative
from tandem.planner.model import Memory
from tandem.planner.observation import Figure, LengthCounts, Observation, PodCounts, Traffic
from tandem.planner.plan import plan

pytestmark = [pytest.mark.e2e, pytest.mark.full]  # two to four minutes

NAMESPACE = f"e2e-many-{os.getpid()}"
FLEETS = 100
MOST = 12  # replicas of a role
SETTLED_S, STILL_S, STEADY_S = 240.0, 5.0, 30.0
CALM_CALLS_PER_FLEET = 0.1  # a second: a status each half minute, and what still settles
TURNS = 60  # of a fleet that is planned for by itself
MOST_PLANS = 5.0  # of these, in the CPU time of a turn: a bound that no slow machine breaks
MOST_MIB = 400.0
LOADS = (
    Load(rate_rps=2.0, input_tokens=400, output_tokens=100),
    Load(rate_rps=14.0, input_tokens=1500, output_tokens=30),
    Load(rate_rps=12.0, input_tokens=300, output_tokens=400),
    Load(rate_rps=16.0, input_tokens=800, output_tokens=150),
)


def body(name: str, prometheus_url: str) -> dict[str, Any]:
    """A fleet that reads its figures from that Prometheus."""
    sized = {
        role: {**emulated()["spec"][role], "replicas": {"min": 1, "max": MOST}} for role in ROLES
    }
    quick = {"behavior": {"scaleDown": {"window": "10s"}}}
    metrics = {"source": "prometheus", "prometheus": {"url": prometheus_url}}
    return emulated(name, metrics=metrics, autoscaling={"interval": "5s", **quick}, **sized)


def planned(fleet: Mapping[str, Any], profiles: Mapping[str, EngineProfile], load: Load) -> Any:
    """What the planner comes to by itself when it is shown such a load for some minutes."""
    asked = fleet_spec(parse_fleet(fleet), profiles)
    memory, pods = Memory(), dict.fromkeys(Role, 1)
    for turn in range(TURNS):
        count = load.rate_rps * asked.interval_s
        cell = representative(load.input_tokens), 0, representative(load.output_tokens), count
        seen = Traffic(
            interval_s=asked.interval_s,
            arrivals=Figure(count),
            finished=Figure(count),
            met_both=Figure(count),
            dispersion=Figure(1.0),
            lengths=LengthCounts(cells=Cells.of(cell)),
        )
        counts = {role: PodCounts(desired=n, ready=n) for role, n in pods.items()}
        now_s = turn * asked.interval_s
        decided = plan(Observation(now_s=now_s, pods=counts, traffic=seen), memory, asked)
        memory = decided.memory
        pods = {role: decision.target for role, decision in decided.roles.items()}
    return pods


@contextmanager
def only_fake_nodes(box: Box) -> Iterator[None]:
    """New pods go to nodes without containers, gateways too: the real one takes none meanwhile."""
    start_kwok(box)
    add_fake_nodes(box, count=4, cpu=10000, gpus=0, tainted=False)
    box.kubectl("cordon", box.node)
    try:
        yield
    finally:
        with suppress(BoxError):  # pods of a node that is gone would take longer to go
            box.kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--timeout=50s")
        remove_fake_nodes(box)
        box.kubectl("uncordon", box.node)


def batched(bodies: Iterable[dict[str, Any]], size: int = 25) -> Iterator[list[dict[str, Any]]]:
    """As many at once as one kubectl makes in good time on a busy machine."""
    left = list(bodies)
    while left:
        yield left[:size]
        left = left[size:]


def replicas(place: Fleet) -> dict[str, dict[Role, int]]:
    """Replicas asked for, by fleet and role."""
    listed = place.get("deployments", "-l", "tandem.dev/role")["items"]
    found: dict[str, dict[Role, int]] = {}
    for one in listed:
        labels = one["metadata"]["labels"]
        sizes = found.setdefault(labels["tandem.dev/fleet"], {})
        sizes[Role(labels["tandem.dev/role"])] = one["spec"]["replicas"]
    return found


def engines(place: Fleet) -> list[tuple[str, str]]:
    """Engine pods by (fleet, pod)."""
    row = '{range .items[*]}{.metadata.labels.tandem\\.dev/fleet} {.metadata.name}{"\\n"}{end}'
    told = place.kubectl("get", "pods", "-l", "tandem.dev/role", f"-o=jsonpath={row}")
    return [(fleet, pod) for fleet, pod in (line.split() for line in told.splitlines())]


def apart(found: Mapping[str, Mapping[Role, int]], wanted: Mapping[str, Mapping[Role, int]]) -> int:
    """How many fleets are more than a pod of a role away from their plan."""
    near = sum(
        name in found
        and all(abs(found[name].get(role, 0) - count) <= 1 for role, count in sizes.items())
        for name, sizes in wanted.items()
    )
    return len(wanted) - near


def test_a_hundred_fleets_reach_their_plans_with_few_calls(tandem: Box, tmp_path: Path) -> None:
    profiles = {"a100-opt-13b-tp1": parse_profile(profile())}
    loads = {f"fleet-{number}": LOADS[number % len(LOADS)] for number in range(FLEETS)}
    address = f"{LOOPBACK}:{free_port()}"
    bodies = {name: body(name, f"http://{address}") for name in loads}
    began_s = time.process_time()
    sizes = [planned(bodies["fleet-0"], profiles, load) for load in LOADS]
    plan_s = (time.process_time() - began_s) / (TURNS * len(LOADS))
    assert len({tuple(size.values()) for size in sizes}) == len(LOADS)
    wanted = {name: sizes[LOADS.index(load)] for name, load in loads.items()}
    place = Fleet(tandem, NAMESPACE)
    with (
        installed_one_stopped(tandem),
        only_fake_nodes(tandem),
        exported(Script(NAMESPACE, loads)) as script,
        running(tmp_path, script.configuration(), address),
        operator(tmp_path, kubeconfig(tandem, token(tandem))) as process,
    ):
        tandem.kubectl("create", "namespace", NAMESPACE)
        place.apply(profile())
        began_s = time.monotonic()
        for some in batched(bodies.values()):
            place.kubectl("create", "-f", "-", stdin=yaml.safe_dump_all(some))
        settle(place, script, wanted, began_s)
        say(f"{time.monotonic() - began_s:6.1f} s  until {FLEETS} fleets had their plans")
        say(f"        {told(process)}")
        assert_calm(process, plan_s)
        assert apart(replicas(place), wanted) == 0


def settle(
    place: Fleet, script: Script, wanted: Mapping[str, Mapping[Role, int]], began_s: float
) -> None:
    """Wait until every fleet has its plan, its engines exported as they come."""
    while (left := apart(replicas(place), wanted)) > 0:
        script.engines = engines(place)
        if time.monotonic() - began_s > SETTLED_S:
            off = {n: (replicas(place).get(n), w) for n, w in wanted.items()}
            raise AssertionError(f"{left} fleets are not as planned: {off}")
        time.sleep(5)
    script.engines = engines(place)


def until_rest(process: Operator) -> None:
    """Wait until no target moves: a fleet near its plan may still add a pod and give one back later."""
    began_s, before, moves = time.monotonic(), -1.0, 0.0
    while moves != before:
        assert time.monotonic() - began_s < SETTLED_S, f"{moves:.0f} moves, and no end of them"
        before = moves
        time.sleep(STILL_S)
        moves = process.total("tandem_decisions_total")
    say(f"        {time.monotonic() - began_s:.0f} s until no target moved for {STILL_S:.0f} s")


def assert_calm(process: Operator, plan_s: float) -> None:
    """Over a while in which nothing happens, the operator asks little of anybody."""
    until_rest(process)
    calls, ticks, cpu_s = counted(process)
    time.sleep(STEADY_S)
    calls, ticks, cpu_s = (
        after - before
        for after, before in zip(counted(process), (calls, ticks, cpu_s), strict=True)
    )
    say(
        f"        at rest: {calls / STEADY_S:.1f} calls/s, {ticks / STEADY_S:.1f} turns/s,"
        f" {cpu_s / STEADY_S:.2f} cores, {1000 * cpu_s / max(1.0, ticks):.1f} ms a turn"
        f" ({1000 * plan_s:.1f} ms a plan), {process.memory_mib:.0f} MiB"
    )
    assert ticks / STEADY_S > 0.8 * FLEETS / 5
    assert calls / STEADY_S < FLEETS * CALM_CALLS_PER_FLEET
    assert cpu_s < MOST_PLANS * ticks * plan_s
    assert process.memory_mib < MOST_MIB


def counted(process: Operator) -> tuple[float, float, float]:
    """Calls to the API server, turns, and CPU seconds so far."""
    calls, ticks = (process.total(f"tandem_{name}_total") for name in ("api_requests", "ticks"))
    return calls, ticks, process.cpu_s


def told(process: Operator) -> str:
    """Calls by what they were, CPU and memory since the start."""
    by_verb = {
        verb: round(process.total("tandem_api_requests_total", verb=verb))
        for verb in ("GET", "POST", "PATCH", "PUT", "DELETE")
    }
    refused = process.total("tandem_ticks_total", outcome="error")
    return (
        f"{by_verb}, {refused:.0f} turns failed, {process.cpu_s:.1f} s of CPU,"
        f" {process.memory_mib:.0f} MiB"
    )
