"""Lengths of what comes now, by prompts that were prefilled and answers of requests that ended."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.planner import arriving
from tandem.planner.cells import NO_CELLS, Cell, Cells
from tandem.planner.demand import LengthMix, from_cells
from tandem.planner.model import Memory
from tandem.planner.observation import LengthCounts, Missing, Traffic

ENDED = Cells.of((100, 0, 40, 8.0), (4000, 0, 200, 2.0))


def mix(*prompts: Cell) -> LengthMix:
    found = arriving.lengths(Memory(cells=ENDED, prompts=Cells.of(*prompts)))
    assert found is not None
    return found


def test_nothing_is_known_before_a_request_has_ended() -> None:
    assert arriving.lengths(Memory(prompts=Cells.of((100, 0, 1, 5.0)))) is None


def test_without_prompts_the_mix_is_that_of_requests_that_ended() -> None:
    found, told = mix(), from_cells(ENDED)
    assert told is not None
    assert (found.mean_input, found.mean_output) == (told.mean_input, told.mean_output)


def test_answers_follow_the_prompts_that_come_now() -> None:
    """Of those that ended a fifth were long; of those that come half are, with the answers of long ones."""
    found = mix((100, 0, 1, 5.0), (4000, 0, 1, 5.0))
    assert found.mean_input == pytest.approx(2050)
    assert found.mean_output == pytest.approx(120)


def test_prompts_of_a_size_of_which_none_has_ended_get_the_answers_of_all() -> None:
    found = mix((30_000, 0, 1, 1.0))
    assert found.mean_input == pytest.approx(30_000)
    assert set(found.output_tokens) <= {40.0, 200.0}
    assert found.mean_output == pytest.approx(0.8 * 40 + 0.2 * 200)


def test_a_cached_prompt_is_as_long_as_what_must_be_computed_of_it() -> None:
    found = mix((4000, 3900, 1, 1.0))
    assert found.mean_output == pytest.approx(40), "as those of a hundred tokens"


@given(
    st.lists(
        st.tuples(st.integers(1, 10**6), st.integers(0, 10**5), st.just(1), st.floats(1e-3, 1e6)),
        min_size=1,
        max_size=20,
    )
)
def test_whatever_comes_makes_a_mix_of_prompts_that_came_or_are_like_those(
    prompts: list[Cell],
) -> None:
    found = mix(*prompts)
    assert found.weights.sum() == pytest.approx(1.0)
    assert np.isfinite([found.mean_input, found.mean_new, found.mean_output]).all()
    assert 40 - 1e-6 <= found.mean_output <= 200 + 1e-6


def test_prompts_of_requests_that_ended_stand_in_where_nobody_tells_of_prompts() -> None:
    ended, came = LengthCounts(cells=ENDED), LengthCounts(cells=Cells.of((7, 0, 1, 1.0)))
    assert arriving.prefilled(Traffic(lengths=ended)) is ended
    assert arriving.prefilled(Traffic(lengths=ended, prompts=came)) is came
    assert arriving.prefilled(Traffic(lengths=Missing("no"), prompts=came)) is came


def test_tokens_that_came_are_those_that_were_prefilled_and_those_that_wait_more() -> None:
    table = Cells.of((1000, 600, 1, 3.0)).table
    none = NO_CELLS.table
    assert arriving.prompt_tokens(table, 0.0, NO_CELLS) == pytest.approx(1200)
    assert arriving.prompt_tokens(table, 5000.0, NO_CELLS) == pytest.approx(3200), (
        "40 % is not cached"
    )
    assert arriving.prompt_tokens(table, -2000.0, NO_CELLS) == pytest.approx(400)
    assert arriving.prompt_tokens(table, -1e9, NO_CELLS) == 0.0
    assert arriving.prompt_tokens(none, 1000.0, NO_CELLS) == pytest.approx(1000)
    assert arriving.prompt_tokens(none, 1000.0, Cells.of((10, 5, 1, 1.0))) == pytest.approx(500)
