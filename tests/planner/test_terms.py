"""Terms are told apart as far as what was seen tells them apart, and no further."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.planner import terms
from tandem.planner.model import Terms

ROWS = [(0.9, 0.05, 0.05), (0.7, 0.2, 0.1), (0.6, 0.1, 0.3), (0.8, 0.15, 0.05)]


def outcome(row: tuple[float, ...], true: tuple[float, ...]) -> float:
    return sum(share * factor for share, factor in zip(row, true, strict=True))


def learnt(true: tuple[float, ...], rows: Sequence[tuple[float, ...]], looks: int) -> Terms:
    known = Terms()
    for turn in range(looks):
        row = rows[turn % len(rows)]
        known = terms.learnt(known, row, outcome(row, true), 50.0, keep=1.0)
    return known


def test_nothing_seen_changes_nothing() -> None:
    assert terms.factors(Terms()) == (1.0, 1.0, 1.0)


@given(st.floats(0.5, 2.0), st.sampled_from(ROWS))
def test_a_fleet_that_holds_the_same_all_day_has_one_factor(
    slower: float, row: tuple[float, float, float]
) -> None:
    known = learnt((slower, 1.0, 1.0), [row], 400)
    expected = outcome(row, (slower, 1.0, 1.0))
    assert terms.factors(known) == pytest.approx([expected] * 3, rel=0.01)


@pytest.mark.parametrize("true", [(1.5, 1.0, 0.8), (0.8, 1.6, 1.2), (1.2, 1.2, 1.2)])
def test_a_fleet_that_has_seen_much_tells_terms_apart(true: tuple[float, float, float]) -> None:
    known = learnt(true, ROWS, 4000)
    assert terms.factors(known) == pytest.approx(true, rel=0.05)
    for row in ROWS:
        assert outcome(row, terms.factors(known)) == pytest.approx(outcome(row, true), rel=0.01)


def test_a_little_seen_moves_slopes_a_little() -> None:
    few = terms.factors(learnt((1.5, 1.0, 0.8), ROWS, 8))
    many = terms.factors(learnt((1.5, 1.0, 0.8), ROWS, 4000))
    assert few[0] - few[2] < 0.5 * (many[0] - many[2])


@pytest.mark.parametrize("wrong", [0.0, -1.0, 0.1, 9.0, float("nan"), float("inf")])
def test_an_outcome_that_can_not_be_moves_nothing(wrong: float) -> None:
    known = learnt((1.2, 1.2, 1.2), ROWS, 100)
    assert terms.learnt(known, ROWS[0], wrong, 50.0, keep=0.99) == known


def test_an_outcome_that_is_far_off_weighs_less() -> None:
    known = learnt((1.0, 1.0, 1.0), ROWS, 100)
    moved = terms.factors(terms.learnt(known, ROWS[0], 4.0, 500.0, keep=1.0))
    assert outcome(ROWS[0], moved) < 1.02


def test_what_replicas_hold_is_smoothed_over_a_part_of_a_life() -> None:
    known = terms.held(Terms(), 10.0, 0.1, 5.0, 10.0)
    assert (known.residents, known.kv) == (10.0, 0.1)
    known = terms.held(known, 20.0, 0.2, 5.0, 10.0)
    assert known.residents == pytest.approx(10 + 10 * 0.3935, rel=1e-3)
    assert terms.held(known, 20.0, 0.2, 5.0, 0.0).residents == 20.0


def test_of_engines_that_were_replaced_a_guess_is_left() -> None:
    light = terms.lightened(learnt((2.0, 2.0, 2.0), ROWS, 1000), terms.PRIOR_REQUESTS)
    assert terms.factors(light) == pytest.approx([1.5] * 3, rel=0.01)
    for turn in range(4):
        light = terms.learnt(light, ROWS[turn], 0.5, 50.0, keep=1.0)
    assert terms.factors(light)[0] == pytest.approx(0.5, rel=0.4)
