"""Role switches: what of them is possible, and that limits look at the fleet as it is afterwards."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from tests.planner.builders import ENGINE, D, P, counts, observation, pair, spec

from tandem.api.role import Role
from tandem.errors import InvalidInputError
from tandem.perf.engine_profile import EngineProfile
from tandem.planner import switches
from tandem.planner.cells import Cells
from tandem.planner.check import check
from tandem.planner.limits import limited
from tandem.planner.model import Memory
from tandem.planner.observation import PodCounts
from tandem.planner.plan import plan
from tandem.planner.situation import Situation
from tandem.planner.spec import OWN_PACE, Behavior, Budget, Domain, FleetSpec, Pool, RatioBounds

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


def of_engines(decode: EngineProfile, switch_s: float | None = 5.0) -> FleetSpec:
    """A fleet whose decode pods have another engine."""
    asked = spec(switch_s=switch_s)
    return replace(asked, roles={**asked.roles, D: replace(asked.roles[D], profile=decode)})


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        pytest.param(spec(switch_s=5.0), "", id="alike"),
        pytest.param(spec(switch_s=0.0), "", id="at once"),
        pytest.param(spec(), "pods of this fleet keep their roles", id="not allowed"),
        pytest.param(
            of_engines(replace(ENGINE, accelerator="other")),
            "accelerators of the roles differ: test and other",
            id="accelerator",
        ),
        pytest.param(
            of_engines(replace(ENGINE, accelerators=4)),
            "accelerators a replica of the roles differ: 1 and 4",
            id="parallelism",
        ),
        pytest.param(
            of_engines(replace(ENGINE, name="other-engine")),
            "profiles of the roles differ: test-engine and other-engine",
            id="profile",
        ),
    ],
)
def test_why_pods_keep_their_roles(asked: FleetSpec, why: str) -> None:
    assert switches.refusal(asked) == why


def test_pods_of_several_pools_keep_their_roles() -> None:
    asked = spec(switch_s=5.0)
    pools = (Pool(name="a", profile=ENGINE), Pool(name="b", profile=ENGINE))
    asked = replace(asked, roles={**asked.roles, P: replace(asked.roles[P], pools=pools)})

    assert switches.refusal(asked) == "a role has several pools"


@pytest.mark.parametrize(
    ("count", "is_refused"), [pytest.param(1, False, id="one"), pytest.param(2, True, id="two")]
)
def test_pods_of_several_domains_keep_their_roles(count: int, *, is_refused: bool) -> None:
    domains = tuple(Domain(name=f"rack-{i}", accelerators=8) for i in range(count))
    refused = switches.refusal(spec(switch_s=5.0, domains=domains))

    assert refused.startswith("pods lie in several domains") is is_refused


@pytest.mark.parametrize(
    ("asked", "allowed"),
    [
        (of_engines(replace(ENGINE, accelerators=4)), "left out, for accelerators a replica"),
        (spec(switch_s=float("nan")), "finite"),
        (spec(switch_s=-1.0), "0 seconds or more"),
    ],
)
def test_a_fleet_whose_pods_can_not_switch_is_refused(asked: FleetSpec, allowed: str) -> None:
    with pytest.raises(InvalidInputError, match=allowed) as refused:
        check(asked)

    assert refused.value.field == "switchTime"


def test_where_pods_keep_their_roles_one_is_stopped_and_one_started() -> None:
    """The rule of another policy in a fleet that does not switch: its wishes hold, and the plan says why."""
    memory = Memory(
        started_s=0.0,
        rates=tuple((30.0 * i, 30.0, 600.0) for i in range(1, 60)),
        cells=Cells.of((1000, 0, 2000, 500.0)),
    )
    settings: dict[str, Any] = {
        "policy": "pd-serve",
        "behavior": OWN_PACE,
        "parameters": {"headroom": 2.0},
    }
    seen = observation(1770.0, pods=pair(12, 12))
    switching = plan(seen, memory, spec(switch_s=5.0, **settings))
    keeping = plan(seen, memory, spec(**settings))

    assert switching.switches
    assert not keeping.switches
    assert {r: each.target for r, each in keeping.roles.items()} == {
        r: each.target for r, each in switching.roles.items()
    }
    assert "no pod changes its role: pods of this fleet keep their roles" in keeping.reasons
