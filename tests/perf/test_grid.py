"""Between points a grid draws straight lines, and it says what it does where points lack."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.errors import InvalidInputError
from tandem.perf.grid import Grid, Line, mean_points, origin_s

SQUARE = [(1, 100, 1.0), (1, 200, 2.0), (3, 100, 3.0), (3, 200, 6.0)]


def test_a_line_is_straight_between_its_points_and_past_both_ends() -> None:
    line = Line([(0.0, 1.0), (10.0, 2.0), (20.0, 4.0)])

    assert [line.at(x) for x in (-10.0, 0.0, 5.0, 10.0, 15.0, 20.0, 40.0)] == [
        0.0,
        1.0,
        1.5,
        2.0,
        3.0,
        4.0,
        8.0,
    ]


@pytest.mark.parametrize(
    ("batch", "tokens", "seconds"),
    [
        pytest.param(1, 150, 1.5, id="between lengths"),
        pytest.param(2, 100, 2.0, id="between batches"),
        pytest.param(2, 150, 3.0, id="between both"),
        pytest.param(5, 100, 5.0, id="past the largest batch"),
        pytest.param(1, 400, 4.0, id="past the longest"),
        pytest.param(3, 0, 0.5, id="no tokens, never below the fixed cost"),
        pytest.param(3, 50, 1.75, id="below the shortest"),
    ],
)
def test_a_grid_is_bilinear(batch: int, tokens: int, seconds: float) -> None:
    assert Grid(SQUARE, fixed_s=0.5).row(batch).at(tokens) == pytest.approx(seconds)


def test_a_batch_that_lacks_at_one_length_is_read_off_that_length_alone() -> None:
    without = [(1, 100, 1.0), (1, 200, 2.0), (3, 100, 3.0)]

    assert Grid(without, fixed_s=0.5).row(3).at(200) == pytest.approx(0.5 + 3 * (2.0 - 0.5))


def test_a_point_below_a_shorter_ones_is_lifted_to_it() -> None:
    row = Grid([(1, 100, 2.0), (1, 200, 1.0), (1, 300, 3.0)], fixed_s=0.0).row(1)

    assert (row.at(150), row.at(200), row.at(250)) == (2.0, 2.0, 2.5)


def test_time_that_falls_with_the_batch_is_level_past_the_last_point() -> None:
    row = Grid([(1, 100, 2.0), (2, 100, 1.5), (1, 200, 2.0), (2, 200, 1.5)], fixed_s=0.0).row

    assert (row(2).at(100), row(100).at(100)) == (1.5, 1.5)


points = st.lists(
    st.tuples(st.integers(1, 64), st.integers(1, 5000), st.floats(1e-4, 10.0)),
    min_size=2,
    max_size=30,
    unique_by=(lambda p: p[:2],),
).filter(lambda found: len({tokens for _, tokens, _ in found}) > 1)


@given(points, st.integers(1, 200), st.integers(0, 10_000), st.integers(0, 10_000))
def test_a_longer_sequence_never_takes_less(
    found: list[tuple[int, int, float]], batch: int, one: int, other: int
) -> None:
    row = Grid(found, fixed_s=1e-5).row(batch)

    assert 0 <= row.at(min(one, other)) <= row.at(max(one, other)) * (1 + 1e-9)


@given(points, st.integers(1, 200))
def test_a_row_has_no_jump_at_its_knots(found: list[tuple[int, int, float]], batch: int) -> None:
    row = Grid(found, fixed_s=1e-5).row(batch)
    for knot in row.knots[1:]:
        assert row.at(knot - 1e-9) == pytest.approx(row.at(knot), rel=1e-6)


def test_points_measured_repeatedly_count_as_their_mean() -> None:
    assert mean_points([(1, 200, 3.0), (1, 100, 1.0), (1, 100, 2.0)], "x") == [
        (1, 100, 1.5),
        (1, 200, 3.0),
    ]


@pytest.mark.parametrize(
    ("line", "expected_s"),
    [
        pytest.param([(10.0, 3.0), (20.0, 4.0), (30.0, 9.0)], 2.0, id="led back to 0"),
        pytest.param([(10.0, 1.0), (20.0, 4.0)], 0.0, id="never negative"),
        pytest.param([(10.0, 4.0), (20.0, 1.0)], 4.0, id="never above the first point"),
    ],
)
def test_the_fixed_cost_is_the_line_of_the_first_two_points(
    line: list[tuple[float, float]], expected_s: float
) -> None:
    assert origin_s(line) == pytest.approx(expected_s)


@pytest.mark.parametrize(
    ("wrong", "field", "value"),
    [
        pytest.param((0, 100, 1.0), "t, batch", 0, id="batch"),
        pytest.param((1, 0, 1.0), "t, tokens", 0, id="tokens"),
        pytest.param((1, 100, 0.0), "t, seconds at batch 1 and 100 tokens", 0.0, id="no time"),
        pytest.param((1, 100, float("inf")), "t, seconds at batch 1 and 100 tokens", float("inf")),
    ],
)
def test_a_point_that_nothing_takes_is_refused_by_its_name(
    wrong: tuple[int, int, float], field: str, value: float
) -> None:
    with pytest.raises(InvalidInputError) as refused:
        mean_points([*SQUARE, wrong], "t")
    assert (refused.value.field, refused.value.value) == (field, value)


def test_a_table_of_one_length_is_refused() -> None:
    with pytest.raises(InvalidInputError, match=r"2 points at 1 lengths.*2 lengths or more"):
        mean_points([(1, 100, 1.0), (2, 100, 2.0)], "t")
