"""The decode batch counts in O(1) what a walk over its members would count."""

from hypothesis import given
from hypothesis import strategies as st

from tandem.perf.batch import DecodeBatch
from tandem.perf.sequence import Sequence

joins = st.tuples(st.integers(0, 40), st.integers(1, 20))  # tokens in the cache, tokens to emit


def sequence(key: str, output_tokens: int) -> Sequence:
    return Sequence(key=key, input_tokens=1, output_tokens=output_tokens)


@given(st.integers(1, 6), st.lists(st.lists(joins, max_size=3), min_size=1, max_size=30))
def test_sums_are_those_of_the_members(
    block_tokens: int, waves: list[list[tuple[int, int]]]
) -> None:
    batch = DecodeBatch(block_tokens)
    kv: dict[str, int] = {}
    left: dict[str, int] = {}
    for number, wave in enumerate(waves):
        for index, (kv_tokens, output) in enumerate(wave):
            key = f"{number}.{index}"
            kv[key], left[key] = kv_tokens, output
            batch.join(sequence(key, output), kv_tokens)
        assert len(batch) == len(kv)
        assert batch.context_tokens == sum(tokens + 1 for tokens in kv.values())
        assert batch.new_blocks == sum(tokens % block_tokens == 0 for tokens in kv.values())
        ended = batch.advance()
        for key in kv:
            kv[key] += 1
            left[key] -= 1
        assert [one.key for one in ended] == [key for key in kv if not left[key]]
        for one in ended:
            assert batch.leave(one) == kv.pop(one.key)
            assert one.emitted_before == one.output_tokens


def test_one_that_left_early_never_ends() -> None:
    batch = DecodeBatch(16)
    early, late = sequence("early", 2), sequence("late", 3)
    batch.join(early, 10)
    batch.join(late, 10)
    batch.advance()
    assert batch.leave(early) == 11
    assert batch.emitted(late) == 1
    assert batch.advance() == []
    assert batch.advance() == [late]


def test_one_that_left_and_came_back_ends_by_its_second_stay() -> None:
    batch = DecodeBatch(16)
    one = sequence("one", 3)
    batch.join(one, 10)
    batch.advance()
    batch.leave(one)
    for _ in range(5):
        batch.advance()
    batch.join(one, 11)
    assert batch.advance() == []
    assert batch.advance() == [one]


def test_the_last_is_who_joined_last_and_is_still_there() -> None:
    batch = DecodeBatch(16)
    first, second = sequence("first", 9), sequence("second", 9)
    batch.join(first, 1)
    batch.join(second, 1)
    assert batch.last() is second
    batch.leave(second)
    assert batch.last() is first
