"""Answers are remembered by which objects were asked about."""

from tandem.planner.identity import KEPT, by_identity


def test_the_same_object_is_asked_about_once_and_an_equal_one_again() -> None:
    asked: list[tuple[int, ...]] = []

    @by_identity
    def total(numbers: tuple[int, ...]) -> int:
        asked.append(numbers)
        return sum(numbers)

    first, equal = (tuple(range(1, 4)) for _ in range(2))
    assert first is not equal
    assert [total(first), total(first), total(equal)] == [6, 6, 6]
    assert len(asked) == 2


def test_an_object_that_took_the_place_of_another_is_not_mistaken_for_it() -> None:
    @by_identity
    def first(numbers: tuple[int, ...]) -> int:
        return numbers[0]

    assert [first((number, 0)) for number in range(5 * KEPT)] == list(range(5 * KEPT))
