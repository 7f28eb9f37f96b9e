"""A pool of pods that change their role: how many, and the way from one split to another."""

import pytest
from tests.planner.builders import D, P, counts, observation, pair, spec

from tandem.planner.cells import Cells
from tandem.planner.demand import from_means
from tandem.planner.model import Memory
from tandem.planner.observation import PodCounts
from tandem.planner.policies import pool
from tandem.planner.policies.pool import TO_DECODE, TO_PREFILL, Pool
from tandem.planner.switches import Switch

KNOWN = {"headroom": pool.HEADROOM}
LENGTHS = from_means(1000, 200)


def of(pods: int, prefill: float = 1.0, decode: float = 1.0) -> Pool:
    return Pool(pods=pods, loads={P: prefill, D: decode}, lengths=LENGTHS)


def test_the_busiest_five_minutes_of_the_hour_size_it() -> None:
    """20 a second for ten minutes, then 2: about 1.9 of prefill and 1.3 of decode at the busiest."""
    rates = tuple((30.0 * i, 30.0, 600.0 if i <= 20 else 60.0) for i in range(1, 60))
    memory = Memory(rates=rates, cells=Cells.of((1000, 0, 200, 500.0)))
    lean, generous = (
        pool.sized(memory, spec(parameters={"headroom": share}), KNOWN) for share in (1.0, 2.0)
    )

    assert lean is not None
    assert generous is not None
    assert lean.loads[P] == pytest.approx(20 * 1000 / 10_977, rel=0.02)
    assert generous.pods >= 2 * lean.pods - 1


def test_it_is_never_more_than_the_roles_may_have() -> None:
    memory = Memory(rates=((60.0, 60.0, 1e6),), cells=Cells.of((1000, 0, 200, 500.0)))
    found = pool.sized(memory, spec(high=(10, 20)), KNOWN)

    assert found is not None
    assert found.pods == 30


def test_none_before_arrivals_and_lengths_are_known() -> None:
    assert pool.sized(Memory(), spec(), KNOWN) is None


@pytest.mark.parametrize(
    ("now", "found", "expected"),
    [
        pytest.param((1, 1), of(5, prefill=3.0), (4, 1), id="more go where the load is"),
        pytest.param((6, 6), of(5, prefill=3.2), (4, 1), id="fewer leave where it is not"),
        pytest.param((3, 2), of(5), (3, 2), id="as many stay what they are"),
        pytest.param((0, 0), of(2), (1, 1), id="no role stays empty"),
    ],
)
def test_pods_come_and_go_by_the_load(
    now: tuple[int, int], found: Pool, expected: tuple[int, int]
) -> None:
    assert counts(pool.resized(pair(*now), found)) == expected


@pytest.mark.parametrize(
    ("pods", "loads", "expected"),
    [(12, (3.0, 1.0), (9, 3)), (16, (1.0, 1.0), (8, 8)), (2, (9.0, 1.0), (1, 1))],
)
def test_the_split_whose_busier_role_is_least_busy(
    pods: int, loads: tuple[float, float], expected: tuple[int, int]
) -> None:
    assert counts(pool.balanced(pods, dict(zip((P, D), loads, strict=True)))) == expected


@pytest.mark.parametrize(
    ("now", "wanted", "most", "expected"),
    [
        ((2, 4), (4, 2), None, (TO_PREFILL,) * 2),
        ((4, 2), (2, 4), 1, (TO_DECODE,)),
        ((3, 3), (3, 3), None, ()),
    ],
)
def test_the_way_from_one_split_to_another(
    now: tuple[int, int],
    wanted: tuple[int, int],
    most: int | None,
    expected: tuple[Switch, ...],
) -> None:
    assert pool.towards(pair(*now), pair(*wanted), most) == expected


def test_wishes_are_those_after_the_switches_and_no_role_is_emptied() -> None:
    seen = observation(5.0, pods=pair(2, 3))
    one = pool.proposal(seen, of(5), [TO_DECODE, TO_DECODE], "because")

    assert counts(one.wishes) == (1, 4)
    assert one.switches == (TO_DECODE,)


def test_no_pod_changes_its_role_while_another_is_on_its_way() -> None:
    pods = {P: PodCounts(desired=3, ready=2, starting=1), D: PodCounts(desired=2, ready=2)}
    one = pool.proposal(observation(5.0, pods=pods), of(5), [TO_DECODE], "because")

    assert one.switches == ()
    assert counts(one.wishes) == (3, 2)
