from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.planner.builders import ENGINE, pair, spec

from tandem.planner import packing, region
from tandem.planner.packing import Packing
from tandem.planner.spec import Budget, Domain


@given(
    st.lists(st.integers(0, 7), min_size=1, max_size=3),
    st.integers(1, 3),
    st.integers(1, 3),
    st.integers(0, 12),
    st.integers(0, 12),
)
def test_what_fits_is_what_some_way_of_packing_holds(
    sizes: list[int], prefill: int, decode: int, prefills: int, decodes: int
) -> None:
    held = Packing(sizes=tuple(sizes), prefill=prefill, decode=decode)
    each = [
        [(p, d) for p, d in product(range(8), repeat=2) if p * prefill + d * decode <= size]
        for size in sizes
    ]
    ways = {(sum(p for p, _ in way), sum(d for _, d in way)) for way in product(*each)}

    assert held.holds(prefills, decodes) == ((prefills, decodes) in ways)


def test_a_fleet_without_domains_is_packed_by_nobody() -> None:
    assert packing.of(spec()) is None


@pytest.mark.parametrize(
    ("wish", "expected"),
    [
        pytest.param((3, 1), (3, 1), id="what fits stays"),
        pytest.param((4, 2), (3, 2), id="the larger role gives"),
        pytest.param((9, 9), (2, 3), id="both fall short alike"),
    ],
)
def test_the_nearest_pair_can_be_packed_and_paid(
    wish: tuple[int, int], expected: tuple[int, int]
) -> None:
    domains = (Domain(name="a", accelerators=3), Domain(name="b", accelerators=2))
    allowed = region.of(spec(domains=domains, budget=Budget(accelerators=100)))

    assert allowed.nearest(pair(*wish)) == pair(*expected)
    assert ENGINE.accelerators == 1
