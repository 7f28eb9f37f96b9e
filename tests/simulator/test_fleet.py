"""Who starts, who drains, who is taken back, and what it costs."""

from dataclasses import replace

import pytest
from tests.fakes.simulated import ROUND, requests, scenario

from tandem.api.role import Role
from tandem.cluster.pod import PodPhase
from tandem.perf.sequence import Sequence
from tandem.planner.observation import PodCounts
from tandem.planner.spec import RoleSpec
from tandem.simulator.clock import Clock
from tandem.simulator.fleet import Fleet
from tandem.simulator.pod import EnginePod
from tandem.simulator.run import Run

P = Role.PREFILL
LEAD_S = 100.0


@pytest.fixture
def run() -> Run:
    """Three prefill pods and one decode pod, Ready."""
    asked = scenario(requests((0, 90, 3)), {P: 3, Role.DECODE: 1}, lead_time_s=LEAD_S)
    run = Run(asked)
    run.fleet.start_ready(asked.replicas)
    return run


@pytest.fixture
def clock(run: Run) -> Clock:
    return run.clock


@pytest.fixture
def fleet(run: Run) -> Fleet:
    return run.fleet


def load(pod: EnginePod, *keys: str) -> None:
    """Let a pod have requests in flight."""
    for key in keys:
        pod.engine.add(Sequence(key=key, input_tokens=10, output_tokens=1, pin=True))


def phases(fleet: Fleet) -> dict[str, str]:
    return {pod.name: pod.phase.value for pod in fleet.pods if pod.role is P}


def pass_time(clock: Clock, until_s: float) -> None:
    clock.at(until_s, lambda: None)
    while clock.next_s() <= until_s:
        clock.step()


def test_a_pod_is_ready_a_lead_time_after_the_asking(clock: Clock, fleet: Fleet) -> None:
    fleet.scale(P, 4)
    pass_time(clock, LEAD_S - 0.1)
    assert fleet.counts(P) == PodCounts(desired=4, ready=3, starting=1)
    pass_time(clock, LEAD_S)
    assert fleet.counts(P) == PodCounts(desired=4, ready=4)


def test_the_pod_with_least_in_flight_drains_and_goes_when_it_is_empty(
    clock: Clock, fleet: Fleet
) -> None:
    first, second, third = (pod for pod in fleet.pods if pod.role is P)
    load(first, "a", "b")
    load(second, "c")
    load(third, "d", "e", "f")
    fleet.scale(P, 2)
    assert phases(fleet) == {
        "prefill-1": "ready",
        "prefill-2": "draining",
        "prefill-3": "ready",
    }
    second.engine.abort("c")
    second.release("c")
    assert "prefill-2" not in phases(fleet)


def test_an_idle_pod_goes_at_once(fleet: Fleet) -> None:
    fleet.scale(P, 1)
    assert len(phases(fleet)) == 1


def test_starting_pods_go_first_the_youngest_before_the_others(clock: Clock, fleet: Fleet) -> None:
    fleet.scale(P, 4)
    pass_time(clock, 10.0)
    fleet.scale(P, 5)
    fleet.scale(P, 4)
    assert list(phases(fleet)) == ["prefill-1", "prefill-2", "prefill-3", "prefill-4"]
    fleet.scale(P, 3)
    pass_time(clock, 2 * LEAD_S)
    assert fleet.counts(P) == PodCounts(desired=3, ready=3), "a start called off never comes up"


def test_draining_pods_are_taken_back_before_any_is_started(fleet: Fleet) -> None:
    for pod in fleet.pods:
        load(pod, f"on {pod.name}")
    fleet.scale(P, 1)
    assert fleet.counts(P) == PodCounts(desired=1, ready=1, draining=2)
    fleet.scale(P, 4)
    assert fleet.counts(P) == PodCounts(desired=4, ready=3, starting=1)


def test_the_busiest_draining_pod_is_taken_back_first(fleet: Fleet) -> None:
    first, second, third = (pod for pod in fleet.pods if pod.role is P)
    load(first, "a")
    load(second, "b", "c")
    load(third, "d", "e", "f")
    fleet.scale(P, 1)
    fleet.scale(P, 2)
    assert phases(fleet) == {"prefill-1": "draining", "prefill-2": "ready", "prefill-3": "ready"}


def test_asking_twice_for_the_same_changes_nothing(fleet: Fleet) -> None:
    fleet.scale(P, 4)
    before = phases(fleet)
    fleet.scale(P, 4)
    assert phases(fleet) == before


def test_a_pod_costs_from_the_asking_until_it_is_gone(clock: Clock, fleet: Fleet) -> None:
    """Prefill 3 x 60 s, then 1 x 60 s and another one asked for at 60 s, a starting one too; decode 120 s.

    (180 + 120 + 120) s of pods with 2 accelerators at 3.00 an hour.
    """
    pass_time(clock, 60.0)
    fleet.scale(P, 1)
    fleet.scale(P, 2)
    pass_time(clock, 120.0)
    pod_hours = (3 * 60 + 2 * 60 + 120) / 3600
    assert fleet.ledger.accelerator_hours(120.0) == pytest.approx(2 * pod_hours)
    assert fleet.ledger.cost(120.0) == pytest.approx(3.0 * pod_hours)
    assert fleet.ledger.replicas(fleet.desired, 120.0)[P].mean == pytest.approx(2.5)
    assert fleet.ledger.replicas(fleet.desired, 120.0)[P].max == 3


def test_a_draining_pod_is_paid_and_counts_among_the_most(clock: Clock, fleet: Fleet) -> None:
    for pod in fleet.pods:
        load(pod, f"on {pod.name}")
    fleet.scale(P, 1)
    pass_time(clock, 3600.0)
    assert fleet.ledger.replicas(fleet.desired, 3600.0)[P].mean == 3.0
    assert [pod.phase for pod in fleet.pods if pod.role is P].count(PodPhase.DRAINING) == 2


def test_roles_may_cost_differently() -> None:
    dear = replace(ROUND, cost_per_hour=10.0, accelerators=8)
    asked = scenario(requests((0, 90, 3)))
    roles = {P: RoleSpec(profile=ROUND), Role.DECODE: RoleSpec(profile=dear)}
    fleet = Run(replace(asked, spec=replace(asked.spec, roles=roles))).fleet
    fleet.start_ready(asked.replicas)
    assert (fleet.ledger.cost(3600.0), fleet.ledger.accelerator_hours(3600.0)) == (13.0, 10.0)
