"""The table is that of AIBrix's `apa_test.go`: a target of 30, tolerances of 0.1, paces of 2."""

import pytest
from tests.planner.builders import D, P, counts, observation, pair, spec

from tandem.planner.cells import Cells
from tandem.planner.model import Memory
from tandem.planner.observation import Figure, Missing
from tandem.planner.policies import aibrix_apa
from tandem.planner.policies.aibrix_apa import Pace, scaled

MEMORY = Memory(cells=Cells.of((1000, 0, 200, 500.0)))


@pytest.mark.parametrize(
    ("replicas", "use", "pace", "expected"),
    [
        pytest.param(2, 45.0, Pace(), 3, id="up"),
        pytest.param(2, 35.0, Pace(), 3, id="up, rounded up"),
        pytest.param(2, 90.0, Pace(), 4, id="up, at most twice as many"),
        pytest.param(2, 90.0, Pace(up=2.5), 5, id="up, at most 2.5 times"),
        pytest.param(6, 20.0, Pace(), 4, id="down"),
        pytest.param(6, 18.0, Pace(), 4, id="down, rounded up"),
        pytest.param(6, 10.0, Pace(), 3, id="down, at least half"),
        pytest.param(6, 5.0, Pace(down=2.5), 2, id="down, at least 1 in 2.5"),
        pytest.param(2, 33.0, Pace(), 2, id="within the tolerance above"),
        pytest.param(2, 27.0, Pace(), 2, id="within the tolerance below"),
    ],
)
def test_one_look(replicas: int, use: float, pace: Pace, expected: int) -> None:
    assert scaled(replicas, use / 30.0, pace) == expected


def test_prefill_counts_prompts_and_decode_kv_with_what_waits_for_it() -> None:
    """4 prompts on 4 pods; 0.7 of KV is on target, and a queue behind full decode is decode's."""
    busy = observation(
        5.0,
        pods=pair(4, 4),
        running={P: Figure(0.5), D: Figure(20.0)},
        kv_usage={D: Figure(0.7)},
        queued_requests=Figure(2.0),
    )
    full = observation(
        5.0,
        pods=pair(4, 4),
        running={P: Figure(0.5), D: Figure(20.0)},
        kv_usage={D: Figure(0.96)},
        queued_requests=Figure(1000.0),
    )

    assert counts(aibrix_apa.decide(busy, MEMORY, spec()).wishes) == (6, 4)
    assert counts(aibrix_apa.decide(full, MEMORY, spec()).wishes) == (3, 8)


def test_replicas_that_start_are_multiplied_too() -> None:
    """What fails: every look asks for twice as many, as long as the ready ones are overloaded."""
    asked, pods = [], 2
    for _ in range(3):
        seen = observation(
            5.0,
            pods=pair(pods, 2),
            running={P: Figure(3.0), D: Figure(1.0)},
            kv_usage={D: Figure(0.7)},
        )
        pods = aibrix_apa.decide(seen, MEMORY, spec()).wishes[P]
        asked.append(pods)

    assert asked == [4, 8, 16]


def test_a_role_that_can_not_be_seen_stays() -> None:
    missing = {P: Missing("no scrape"), D: Missing("no scrape")}
    seen = observation(5.0, pods=pair(3, 2), running=missing, kv_usage=missing)

    assert counts(aibrix_apa.decide(seen, MEMORY, spec()).wishes) == (3, 2)
