"""llm-d's threshold formula: missing = demand/0.85 − capacity with pods that start, spare = capacity − demand/0.70."""

import pytest
from tests.planner.builders import ENGINE, D, P, counts, observation, pair, spec

from tandem.api.role import Role
from tandem.planner.cells import Cells
from tandem.planner.demand import from_means
from tandem.planner.model import Memory
from tandem.planner.observation import Figure, PodCounts
from tandem.planner.policies import llm_d_saturation as saturation

MEMORY = Memory(cells=Cells.of((1000, 0, 200, 500.0)))


@pytest.mark.parametrize(
    ("demand", "pods", "expected"),
    [
        pytest.param(3.40, PodCounts(desired=4, ready=4), 4, id="85 % of four"),
        pytest.param(3.45, PodCounts(desired=4, ready=4), 5, id="over it"),
        pytest.param(3.45, PodCounts(desired=5, ready=4, starting=1), 5, id="one starts already"),
        pytest.param(6.00, PodCounts(desired=4, ready=4), 8, id="all that is missing at once"),
        pytest.param(2.80, PodCounts(desired=4, ready=4), 4, id="70 % of four"),
        pytest.param(2.10, PodCounts(desired=4, ready=4), 3, id="70 % of three"),
        pytest.param(0.00, PodCounts(desired=4, ready=4), 0, id="nothing"),
    ],
)
def test_thresholds(demand: float, pods: PodCounts, expected: int) -> None:
    assert saturation.scaled(pods, demand, threshold=0.85) == expected


@pytest.mark.parametrize(
    ("role", "expected"),
    [
        # N = min(8192 · 200/1200, 256) = 256 of 1000 + 200/2 tokens each
        pytest.param(D, 256 * 1100.0, id="decode: the batch cap"),
        # N = min(8192 · 1/1001, 256) of 1000 + 1/2
        pytest.param(P, 8192 / 1001 * 1000.5, id="prefill: the token budget"),
    ],
)
def test_capacity_of_a_replica_that_was_never_full(role: Role, expected: float) -> None:
    assert saturation.capacity(ENGINE, from_means(1000, 200), role) == pytest.approx(expected)


def test_a_queued_request_counts_for_both_roles() -> None:
    """100 of them: 100 000 tokens for prefill's 8188 each, 120 000 for decode's 281 600 each."""
    seen = observation(
        5.0,
        pods=pair(1, 1),
        kv_usage={P: Figure(0.0), D: Figure(0.0)},
        queued_requests=Figure(100.0),
        queued_tokens=Figure(100_000.0),
    )

    assert counts(saturation.decide(seen, MEMORY, spec()).wishes) == (15, 1)


def test_a_replica_that_queues_shows_what_it_holds() -> None:
    """Five requests wait for each prefill pod that holds 4000 tokens: from then on that is its capacity."""
    queueing = observation(
        5.0,
        pods=pair(2, 2),
        kv_usage={P: Figure(0.004), D: Figure(0.1)},
        queued_requests=Figure(10.0),
        queued_tokens=Figure(10_000.0),
    )
    first = saturation.decide(queueing, MEMORY, spec())
    later = observation(10.0, pods=pair(6, 2), kv_usage={P: Figure(0.004), D: Figure(0.1)})
    memory = Memory(cells=MEMORY.cells, facts=first.facts)

    assert "4000 a replica" in first.reasons[P]
    assert "4000 a replica" in saturation.decide(later, memory, spec()).reasons[P]
    assert "8188 a replica" in saturation.decide(later, MEMORY, spec()).reasons[P]


def test_busy_prefill_without_a_queue_is_not_seen() -> None:
    """What fails: all of its time in use, a prompt in hand, and it would give pods away."""
    seen = observation(
        5.0,
        pods=pair(4, 2),
        utilisation={P: Figure(1.0), D: Figure(0.2)},
        kv_usage={P: Figure(0.001), D: Figure(0.2)},
    )

    assert saturation.decide(seen, MEMORY, spec()).wishes[P] < 4
