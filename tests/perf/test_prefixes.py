"""What an engine still knows of prompts: leading blocks, the least recently used gone first."""

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from tandem.perf.prefixes import PrefixCache

CHAINS = st.lists(st.integers(0, 12), unique=True, max_size=6).map(tuple)


class Plain:
    """The same as a list, the block that goes next first."""

    def __init__(self) -> None:
        self.blocks: list[int] = []

    def use(self, hashes: tuple[int, ...], most: int) -> None:
        rest = [block for block in self.blocks if block not in hashes]
        whole = rest + list(reversed(hashes))
        self.blocks = whole[max(0, len(whole) - most) :]


def leading(hashes: tuple[int, ...], blocks: list[int]) -> Iterator[int]:
    for block in hashes:
        if block not in blocks:
            return
        yield block


@given(st.lists(st.tuples(CHAINS, st.integers(0, 9)), max_size=20), CHAINS)
def test_it_is_a_list_in_order_of_use(
    uses: list[tuple[tuple[int, ...], int]], asked: tuple[int, ...]
) -> None:
    cache, plain = PrefixCache(), Plain()
    for hashes, most in uses:
        cache.use(hashes, most)
        plain.use(hashes, most)
        assert len(cache) == len(plain.blocks)
    assert cache.known(asked) == len(list(leading(asked, plain.blocks)))
