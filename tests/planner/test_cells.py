"""Counted lengths: the same rows in and out, and what is asked of them in sum."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.planner.cells import NO_CELLS, Cells

rows = st.lists(
    st.tuples(
        st.integers(1, 10**6), st.integers(0, 10**6), st.integers(1, 10**5), st.floats(0, 1e6)
    ),
    max_size=5,
)


@given(rows)
def test_rows_come_out_as_they_went_in(rows: list[tuple[int, int, int, float]]) -> None:
    cells = Cells.of(*rows)
    assert list(cells) == rows
    assert len(cells) == len(rows)
    assert cells == Cells.of(*rows)


def test_cells_of_other_counts_are_others() -> None:
    assert Cells.of((5, 0, 5, 1.0)) != Cells.of((5, 0, 5, 2.0))
    assert Cells.of((5, 0, 5, 1.0)) != NO_CELLS
    assert NO_CELLS != ()


def test_requests_and_tokens_are_those_of_all_rows() -> None:
    cells = Cells.of((1000, 600, 200, 3.0), (10, 0, 5, 2.0))
    assert cells.requests == pytest.approx(5.0)
    assert cells.tokens() == pytest.approx((3020.0, 1800.0, 610.0))
    assert cells.times(0.5).tokens() == pytest.approx((1510.0, 900.0, 305.0))
    assert (NO_CELLS.requests, NO_CELLS.tokens()) == (0.0, (0.0, 0.0, 0.0))
