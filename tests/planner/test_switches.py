"""Role switches: what of them is possible, and that limits look at the fleet as it is afterwards."""

from collections.abc import Mapping

import pytest
from tests.planner.builders import D, P, counts, observation, pair, spec

from tandem.api.role import Role
from tandem.planner import switches
from tandem.planner.limits import Situation, limited
from tandem.planner.model import Memory
from tandem.planner.observation import PodCounts
from tandem.planner.spec import Behavior, Budget, FleetSpec, RatioBounds

TO_DECODE, TO_PREFILL = (P, D), (D, P)


@pytest.mark.parametrize(
    ("wished", "pods", "asked", "kept"),
    [
        pytest.param([TO_DECODE], pair(3, 2), spec(), 1, id="one"),
        pytest.param([TO_DECODE] * 3, pair(3, 2), spec(), 2, id="down to the minimum"),
        pytest.param([TO_DECODE], pair(3, 2), spec(high=(64, 2)), 0, id="over the maximum"),
        pytest.param(
            [TO_DECODE], pair(3, 2), spec(ratio=RatioBounds(lowest=(1, 1))), 0, id="off the ratio"
        ),
        pytest.param(
            [TO_DECODE],
            {P: PodCounts(desired=3, starting=3), D: PodCounts(desired=2, ready=2)},
            spec(),
            0,
            id="a pod that still starts stays",
        ),
        pytest.param([(P, P)], pair(3, 2), spec(), 0, id="to itself"),
        pytest.param([TO_DECODE, TO_PREFILL], pair(3, 2), spec(), 2, id="there and back"),
    ],
)
def test_what_is_possible(
    wished: list[switches.Switch],
    pods: Mapping[Role, int | PodCounts],
    asked: FleetSpec,
    kept: int,
) -> None:
    assert len(switches.possible(wished, observation(0.0, pods=pods), asked)) == kept


def test_a_switch_is_not_held_back_as_if_it_were_a_scale_down() -> None:
    """Window and steps are of pods that come and go; the budget is full, and stays so."""
    asked = spec(
        behavior=Behavior(up_max_step=1, down_window_s=300.0, down_max_step=1),
        budget=Budget(accelerators=5),
    )
    then = switches.after(observation(0.0, pods=pair(3, 2)), [TO_DECODE])
    targets, clamps = limited(Situation(observation=then, memory=Memory(), spec=asked), pair(2, 3))

    assert counts(targets) == (2, 3)
    assert not clamps
    assert then.pods[D] == PodCounts(desired=3, ready=2, starting=1)


def test_the_wish_of_a_switch_that_can_not_be_is_taken_back() -> None:
    assert counts(switches.without(pair(1, 4), [TO_DECODE, TO_DECODE])) == (3, 2)


@pytest.mark.parametrize(
    ("wished", "asked", "kept"),
    [
        pytest.param({P: 2}, spec(), {P: 2}, id="as wished"),
        pytest.param({P: 2, D: 2}, spec(high=(4, 64)), {P: 1, D: 2}, id="up to the maximum"),
        pytest.param({P: 3, D: 1}, spec(budget=Budget(accelerators=8)), {P: 3}, id="budget"),
        pytest.param({P: 3}, spec(budget=Budget(accelerators=5)), {}, id="no room"),
    ],
)
def test_warm_pods_are_within_bounds_and_budget(
    wished: dict[Role, int], asked: FleetSpec, kept: dict[Role, int]
) -> None:
    assert switches.warm(wished, pair(3, 2), asked) == kept
