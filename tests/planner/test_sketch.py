"""Counts of lengths that fade, and when what is new among them counts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.planner.cells import NO_CELLS, Cells
from tandem.planner.memory import from_json, to_json
from tandem.planner.model import Memory
from tandem.planner.observation import LengthCounts
from tandem.planner.sketch import (
    HALF_LIFE_S,
    MATTERS,
    MOST_FRESH,
    MOST_PROMPTS,
    learnt,
)


def after(memory: Memory, requests: float, *, at: int = 1000, for_s: float = 5.0) -> Memory:
    """One more interval, with so many requests of a length, that would wait half a minute."""
    ended, prompts = (
        LengthCounts(cells=Cells.of((at, 0, output, requests))) for output in (200, 1)
    )
    return learnt(memory, ended, prompts, for_s, 30.0)


def test_the_first_requests_count_at_once() -> None:
    memory = after(Memory(), 10.0)
    assert memory.cells == Cells.of((1000, 0, 200, 10.0))
    assert memory.prompts == Cells.of((1000, 0, 1, 10.0))
    assert not memory.fresh


def test_what_is_little_beside_what_is_known_waits_and_then_counts_with_the_time_it_waited() -> (
    None
):
    memory = known = after(Memory(), 1000.0)
    for _ in range(5):
        memory = after(memory, 10.0)
        assert memory.cells is known.cells, "so that what hangs on it stands"
    memory = after(memory, 10.0)
    assert memory.cells.requests == pytest.approx(1000 * 0.5 ** (30 / HALF_LIFE_S) + 60)
    assert (memory.fresh, memory.fresh_prompts, memory.waited_s) == (NO_CELLS, NO_CELLS, 0.0)


def test_what_is_much_beside_what_is_known_counts_at_once() -> None:
    memory = after(after(Memory(), 1000.0), 1000 * MATTERS + 1)
    assert memory.cells.requests > 1000
    assert not memory.fresh


def test_what_waits_survives_a_restart() -> None:
    memory = after(after(Memory(), 1000.0), 10.0)
    stored, why = from_json(to_json(memory))
    assert not why
    assert (stored.fresh, stored.fresh_prompts, stored.waited_s) == (
        Cells.of((1000, 0, 200, 10.0)), Cells.of((1000, 0, 1, 10.0)), 5.0,
    )  # fmt: skip


sizes = st.tuples(st.integers(1, 6), st.integers(0, 6), st.integers(1, 5))  # powers of ten, at most
looks = st.tuples(st.integers(300, 600), sizes, st.integers(0, 2**32 - 1))


@given(st.lists(looks, min_size=1, max_size=4))
def test_no_request_is_lost_however_many_lengths_there_are(
    looks: list[tuple[int, tuple[int, int, int], int]],
) -> None:
    memory = Memory(cells=Cells.of((5, 0, 5, 1e6)), prompts=Cells.of((5, 0, 1, 1e6)))
    for count, powers, seed in looks:
        most = [10**power for power in powers]
        rows = np.random.default_rng(seed).integers([1, 0, 1], most, (count, 3), endpoint=True)
        counts = LengthCounts(cells=Cells(np.column_stack([rows, np.ones(count)])))
        memory = learnt(memory, counts, counts, 5.0, 30.0)
        assert len(memory.fresh) <= MOST_FRESH
        assert len(memory.fresh_prompts) <= MOST_PROMPTS
    assert memory.fresh.requests == pytest.approx(sum(look[0] for look in looks))
