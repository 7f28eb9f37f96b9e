"""The tables and time lines are those of Knative's `autoscaler_test.go`, whose rates are 10 both ways."""

from typing import Any

import pytest
from tests.planner.builders import D, P, observation, spec

from tandem.planner import memory as memories
from tandem.planner.cells import Cells
from tandem.planner.model import Memory
from tandem.planner.observation import Figure, Missing, PodCounts
from tandem.planner.plan import plan
from tandem.planner.policies import kpa
from tandem.planner.policies.kpa import Look, Panic, Rates, scaled

TENFOLD = Rates(up=10.0, down=10.0)
KPA = spec(policy="kpa", parameters={"target": 0.5})


def look(stable: float, panic: float, ready: int = 1, now_s: float = 0.0) -> Look:
    return Look(now_s=now_s, ready=ready, stable=stable, panic=panic)


@pytest.mark.parametrize(
    ("seen", "before", "rates", "expected"),
    [
        pytest.param(look(5, 5), Panic(), TENFOLD, 5, id="stable mode, no change"),
        pytest.param(look(5, 5, 5), Panic(), TENFOLD, 5, id="already scaled"),
        pytest.param(look(3, 3.1, 2), Panic(), Rates(up=1.1), 3, id="a small rate grows by one"),
        pytest.param(look(0.1, 0.1, 100), Panic(), Rates(down=1.1), 90, id="a small rate down"),
        pytest.param(look(5, 10), Panic(), TENFOLD, 10, id="panic takes precedence"),
        pytest.param(
            look(50, 30, 5, 5.0), Panic(at_s=0.0, pods=5), TENFOLD, 50, id="stable is larger"
        ),
        pytest.param(
            look(20, 30, 5, 5.0), Panic(at_s=0.0, pods=5), TENFOLD, 30, id="panic is larger"
        ),
        pytest.param(look(100, 100.1, 1), Panic(), TENFOLD, 10, id="tenfold"),
        pytest.param(look(100, 100.1, 10), Panic(), TENFOLD, 100, id="and tenfold again"),
        pytest.param(look(0.1, 0.1, 100), Panic(), TENFOLD, 10, id="a tenth"),
        pytest.param(look(88.8, 88.8, 0), Panic(), TENFOLD, 10, id="no pod counts as one"),
    ],
)
def test_one_look(seen: Look, before: Panic, rates: Rates, expected: int) -> None:
    assert scaled(seen, before, rates)[0] == expected


def test_panic_holds_for_a_stable_window_and_then_lets_go() -> None:
    pods, panic = scaled(look(10, 100, 10), Panic(), TENFOLD)
    assert pods == 100

    pods, panic = scaled(look(0.1, 0.1, 10, now_s=30.0), panic, TENFOLD)
    assert pods == 100  # traffic dropped off, still in panic

    assert scaled(look(0.1, 0.1, 10, now_s=61.0), panic, TENFOLD) == (1, Panic())


def test_a_slow_increase_ends_panic() -> None:
    pods, panic = scaled(look(11, 25, 10), Panic(), TENFOLD)
    assert (pods, panic.at_s) == (25, 0.0)

    pods, panic = scaled(look(30, 41, 40, now_s=30.0), panic, TENFOLD)
    assert (pods, panic.at_s) == (41, 0.0)

    assert scaled(look(50, 56, 55, now_s=62.0), panic, TENFOLD) == (50, Panic())


def test_panic_goes_on_while_the_surge_does() -> None:
    _, panic = scaled(look(11, 25, 10), Panic(), TENFOLD)
    pods, panic = scaled(look(30, 80, 40, now_s=30.0), panic, TENFOLD)

    assert (pods, panic.at_s) == (80, 30.0)


def wishes(loads: list[float], **traffic: Any) -> list[int]:
    """Prefill pods asked for as its requests in flight change every 5 s; one pod is ready."""
    memory, out = Memory(), []
    for number, load in enumerate(loads):
        pods = {role: PodCounts(desired=1, ready=1) for role in (P, D)}
        seen = observation(
            5.0 * (number + 1),
            pods=pods,
            **{"running": {P: Figure(load), D: Figure(1.0)}, **traffic},
        )
        decided = plan(seen, memory, KPA)
        memory, _ = memories.from_json(memories.to_json(decided.memory))
        out.append(decided.roles[P].unclamped)
    return out


def test_windows_are_kept_between_looks() -> None:
    """A minute of half a request in flight, then one: the mean grows by a twelfth each look."""
    counted = wishes([0.5] * 12 + [0.75] * 12)

    assert counted[:12] == [1] * 12
    assert counted[-1] == 2
    assert counted.index(2) == 12  # ceil of any mean above the target


def test_a_queue_counts_where_it_waits() -> None:
    """Idle prefill behind full decode: the queue is decode's."""
    queue = {"queued_requests": Figure(7.0), "kv_usage": {D: Figure(0.99)}}

    assert wishes([0.5], queued_requests=Figure(7.0))[0] == 15
    assert wishes([0.5], **queue)[0] == 1


def test_unknown_concurrency_changes_nothing() -> None:
    missing = {P: Missing("no scrape"), D: Figure(1.0)}
    proposal = kpa.decide(
        observation(5.0, running=missing), Memory(cells=Cells.of((1000, 0, 200, 5.0))), KPA
    )

    assert proposal.wishes == {P: 1, D: 1}
    assert "prefill" in proposal.reasons[P]
