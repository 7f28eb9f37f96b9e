"""BlitzScale's bands with the 12 000 prefill tokens a second of its configuration for two GPUs."""

from dataclasses import replace

import pytest
from tests.planner.builders import ENGINE, D, P, counts, observation, pair, spec

from tandem.perf.engine_profile import PrefillCost
from tandem.planner.cells import Cells
from tandem.planner.model import Memory
from tandem.planner.observation import Figure
from tandem.planner.policies import blitzscale
from tandem.planner.policies.blitzscale import DECODE, PREFILL, Band, moved

TWO_GPUS = replace(
    ENGINE, prefill=PrefillCost(a_s=0.0, b_s_per_token=1 / 12_000, c_s_per_token2=0.0)
)
MEMORY = Memory(cells=Cells.of((1000, 0, 200, 500.0)))


@pytest.mark.parametrize(
    ("tokens", "now", "expected"),
    [
        pytest.param(20_000, 1, 4, id="3 to 4: to the middle, rounded up"),
        pytest.param(60_000, 1, 9, id="8 to 10: to the middle"),
        pytest.param(20_000, 3, 3, id="within"),
        pytest.param(20_000, 9, 8, id="above: one fewer"),
        pytest.param(0, 9, 8, id="no queue: one fewer, look by look"),
        pytest.param(0, 1, 1, id="never none"),
    ],
)
def test_prefill_by_the_tokens_that_wait(tokens: float, now: int, expected: int) -> None:
    seen = observation(
        5.0,
        pods=pair(now, 1),
        kv_usage={P: Figure(0.0), D: Figure(0.8)},
        queued_tokens=Figure(tokens),
    )
    wishes = blitzscale.decide(seen, MEMORY, spec(profile=TWO_GPUS)).wishes

    assert wishes[P] == expected


def test_decode_by_the_kv_of_both_roles() -> None:
    """KV of 3.9 replicas: 3.9/0.95 to 3.9/0.75 is 5 to 6."""
    assert Band.of(3.9, DECODE) == Band(5, 6)
    seen = observation(5.0, pods=pair(1, 4), kv_usage={P: Figure(0.1), D: Figure(0.95)})
    wishes = blitzscale.decide(seen, MEMORY, spec(profile=TWO_GPUS)).wishes

    assert counts(wishes) == (1, 6)


def test_the_larger_of_two_bands_counts() -> None:
    assert Band(1, 4) | Band(3, 3) == Band(3, 4)
    assert Band(5, 6) | Band(1, 2) == Band(5, 6)
    assert moved(4, Band.of(0.0, PREFILL)) == 3


def test_prefill_without_a_queue_is_given_up_while_it_is_all_busy() -> None:
    """What fails."""
    pods = 6
    for _ in range(5):
        seen = observation(
            5.0,
            pods=pair(pods, 1),
            utilisation={P: Figure(1.0)},
            kv_usage={P: Figure(0.0), D: Figure(0.8)},
        )
        pods = blitzscale.decide(seen, MEMORY, spec(profile=TWO_GPUS)).wishes[P]

    assert pods == 1
