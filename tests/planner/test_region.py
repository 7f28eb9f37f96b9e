from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.planner.builders import ENGINE, D, P, costing, pair, spec

from tandem.planner import region
from tandem.planner.region import Purse, Region
from tandem.planner.spec import Budget, RatioBounds

counts = st.integers(0, 9)
ratios = st.one_of(st.none(), st.tuples(st.integers(0, 4), st.integers(1, 4)))


@st.composite
def regions(draw: st.DrawFn) -> Region:
    bounds = {role: tuple(sorted((draw(counts), draw(counts)))) for role in (P, D)}
    price = {role: float(draw(st.integers(1, 3))) for role in (P, D)}
    alive = draw(st.one_of(st.none(), st.builds(pair, counts, counts)))
    purse = Purse(
        total=draw(st.integers(0, 30)), price=price, alive=alive, leaving=draw(st.integers(0, 5))
    )
    return Region(
        bounds=bounds,  # type: ignore[arg-type]
        ratio=RatioBounds(lowest=draw(ratios), highest=draw(ratios)),
        purses=(purse,),
    )


def within(allowed: Region, prefills: int, decodes: int) -> bool:
    """The definition, pair by pair."""
    (purse,) = allowed.purses
    wanted = pair(prefills, decodes)
    fits = all(low <= wanted[role] <= high for role, (low, high) in allowed.bounds.items())
    price = {role: float(purse.price[role]) for role in (P, D)}
    cost = sum(price[role] * wanted[role] for role in (P, D))
    grown = standing = 0.0
    if purse.alive is not None:
        standing = sum(price[r] * purse.alive[r] for r in (P, D)) + purse.leaving
        grown = sum(price[r] * max(0, wanted[r] - purse.alive[r]) for r in (P, D))
    can_grow = grown <= max(0.0, purse.total - standing)
    return fits and cost <= purse.total and can_grow and allowed.ratio.allow(prefills, decodes)


@given(regions())
def test_the_intervals_hold_exactly_the_allowed_pairs(allowed: Region) -> None:
    for prefills, decodes in product(range(11), repeat=2):
        said = allowed.allows(pair(prefills, decodes))
        assert said == within(allowed, prefills, decodes), (prefills, decodes)


@given(regions(), counts, counts)
def test_the_nearest_pair_lies_within_and_is_the_wish_where_that_does(
    allowed: Region, prefills: int, decodes: int
) -> None:
    nearest = allowed.nearest(pair(prefills, decodes))

    if nearest is None:
        assert not any(within(allowed, *each) for each in product(range(11), repeat=2))
    else:
        assert within(allowed, nearest[P], nearest[D])
        if within(allowed, prefills, decodes):
            assert nearest == pair(prefills, decodes)


@pytest.mark.parametrize(
    ("wish", "expected"),
    [
        pytest.param((6, 3), (5, 3), id="one too many: the larger role gives it"),
        pytest.param((8, 8), (4, 4), id="both fall short alike"),
        pytest.param((12, 4), (6, 2), id="in proportion"),
        pytest.param((2, 2), (2, 2), id="what fits stays"),
    ],
)
def test_a_budget_shortens_the_chain_evenly(
    wish: tuple[int, int], expected: tuple[int, int]
) -> None:
    allowed = region.of(spec(budget=Budget(accelerators=8)))

    assert allowed.nearest(pair(*wish)) == pair(*expected)


def test_a_ratio_raises_the_short_role_before_it_cuts_the_other() -> None:
    allowed = region.of(spec(ratio=RatioBounds(lowest=(1, 2)), high=(4, 64)))

    assert allowed.nearest(pair(1, 6)) == pair(3, 6)
    assert allowed.nearest(pair(1, 20)) == pair(4, 8)


def test_nothing_may_start_while_draining_pods_fill_the_budget() -> None:
    allowed = region.of(spec(budget=Budget(accelerators=8)))
    now = region.beside(allowed, alive=pair(4, 3), draining=pair(0, 1))

    assert now.nearest(pair(5, 3)) == pair(4, 3)
    assert region.beside(allowed, alive=pair(4, 3), draining=pair(0, 0)).allows(pair(5, 3))


def test_money_is_counted_to_the_cent() -> None:
    priced = spec(profile=costing(ENGINE, 0.1), budget=Budget(cost_per_hour=0.3))

    assert region.of(priced).allows(pair(2, 1))
    assert not region.of(priced).allows(pair(2, 2))


def test_engines_without_a_price_take_nothing_of_a_budget_of_money() -> None:
    assert region.of(spec(budget=Budget(cost_per_hour=1.0))).allows(pair(64, 64))
