"""Back-pressure over 0.6 asks for one instance more, as in SageServe's port."""

from typing import Any

import pytest
from tests.planner.builders import D, P, counts, observation, pair, spec

from tandem.planner.cells import Cells
from tandem.planner.model import Memory
from tandem.planner.observation import Figure, PodCounts
from tandem.planner.policies import chiron

MEMORY = Memory(cells=Cells.of((1000, 0, 200, 500.0)))


@pytest.mark.parametrize(
    ("replicas", "pressure", "expected"),
    [
        pytest.param(5, 0.61, 6, id="over"),
        pytest.param(5, 0.60, 5, id="at the limit"),
        pytest.param(5, 0.49, 5, id="four would be over it"),
        pytest.param(5, 0.48, 4, id="four bear it"),
        pytest.param(1, 0.00, 1, id="the last one stays"),
    ],
)
def test_one_look(replicas: int, pressure: float, expected: int) -> None:
    assert chiron.stepped(replicas, pressure, theta=0.6) == expected


def test_a_doubled_load_gets_one_replica_a_cold_start() -> None:
    """What fails."""
    busy: dict[str, Any] = {"utilisation": {P: Figure(1.0)}, "running": {D: Figure(5.0)}}
    ready = observation(5.0, pods=pair(2, 2), **busy)
    starts = observation(
        10.0,
        pods={P: PodCounts(desired=3, ready=2, starting=1), D: PodCounts(desired=2, ready=2)},
        **busy,
    )

    assert counts(chiron.decide(ready, MEMORY, spec()).wishes) == (3, 1)
    assert chiron.decide(starts, MEMORY, spec()).wishes[P] == 3
