from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.api.documents import fleet, profile
from tests.planner.builders import counts

from tandem.api.engine_profile import EngineProfile
from tandem.api.fallback import OnStale, OnUntrusted
from tandem.api.parse import parse_fleet, parse_profile
from tandem.api.role import Role
from tandem.errors import InvalidInputError
from tandem.perf.library import PROFILES
from tandem.planner.from_resource import fleet_spec
from tandem.planner.spec import Behavior, Budget, FleetSpec, RatioBounds, Schedule, Slo

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"


def profiles(**changes: object) -> dict[str, EngineProfile]:
    return {"h200-8b": parse_profile(profile(**changes))}


def spec(**changes: object) -> FleetSpec:
    return fleet_spec(parse_fleet(fleet(**changes)), profiles())


def example(name: str) -> Any:
    return yaml.safe_load((EXAMPLES / name).read_text(encoding="utf-8"))


def test_the_example_becomes_what_its_text_says() -> None:
    resource = parse_profile(example("profile.yaml"))
    seen = fleet_spec(parse_fleet(example("chat.yaml")), {resource.metadata.name: resource})

    assert seen.slo == Slo(ttft_s=0.5, tpot_s=0.04, attainment=0.99)
    assert seen.ratio == RatioBounds(lowest=(1, 6), highest=(4, 1))
    assert seen.budget == Budget(accelerators=40, cost_per_hour=150.0)
    assert seen.behavior == Behavior(
        up_max_step=8, down_window_s=300.0, down_max_step=1, stale_after_s=60.0
    )
    assert (seen.policy, dict(seen.parameters), seen.interval_s) == ("tandem", {}, 5.0)
    prefill, decode = seen.roles[Role.PREFILL], seen.roles[Role.DECODE]
    assert (prefill.min_replicas, prefill.max_replicas) == (1, 16)
    assert (decode.min_replicas, decode.max_replicas) == (2, 32)
    assert prefill.profile == decode.profile == PROFILES["h200-llama-3.1-8b-tp1"]
    assert prefill.lead_time_s == 100.0
    assert [(each.cron, counts(each.floors)) for each in seen.schedules] == [
        ("0 9 * * 1-5", (4, 8))
    ]


def test_what_is_not_given_is_unbounded_or_the_planners_own() -> None:
    seen = spec()

    assert seen.ratio == RatioBounds()
    assert seen.budget == Budget()
    assert seen.behavior == Behavior()
    assert seen.roles[Role.DECODE].lead_time_s == 60.0


@pytest.mark.parametrize(
    ("ratio", "bounds"),
    [
        pytest.param({}, RatioBounds(), id="none"),
        pytest.param(
            {"min": {"prefill": 1, "decode": 6}}, RatioBounds(lowest=(1, 6)), id="lowest only"
        ),
        pytest.param(
            {"max": {"prefill": 4, "decode": 1}}, RatioBounds(highest=(4, 1)), id="highest only"
        ),
    ],
)
def test_a_ratio_may_be_bounded_on_one_side(ratio: dict[str, Any], bounds: RatioBounds) -> None:
    assert spec(autoscaling__ratio=ratio).ratio == bounds


def test_parameters_and_policy_are_passed_on() -> None:
    seen = spec(autoscaling__policy={"name": "hpa", "parameters": {"target": 0.7}})

    assert (seen.policy, dict(seen.parameters)) == ("hpa", {"target": 0.7})


@pytest.mark.parametrize(("mode", "paused"), [("Auto", False), ("Paused", True)])
def test_a_paused_fleet_says_so(mode: str, paused: bool) -> None:  # noqa: FBT001
    assert spec(autoscaling__mode=mode).paused is paused


def test_schedules_are_floors_of_the_roles_that_they_name() -> None:
    peak = {"cron": "0 9 * * 1-5", "timezone": "Europe/Berlin", "lasts": "8h", "prefillMin": 4}
    both = {"cron": "0 0 1 * *", "lasts": "1h30m", "prefillMin": 2, "decodeMin": 3}

    assert spec(autoscaling__schedules=[peak, both]).schedules == (
        Schedule(
            cron="0 9 * * 1-5", timezone="Europe/Berlin", lasts_s=28800.0, floors={Role.PREFILL: 4}
        ),
        Schedule(cron="0 0 1 * *", lasts_s=5400.0, floors={Role.PREFILL: 2, Role.DECODE: 3}),
    )


def test_what_follows_where_nothing_can_be_gone_by_is_passed_on() -> None:
    seen = spec(autoscaling={"onStale": "Max", "onUntrusted": "Hold"})

    assert (seen.on_stale, seen.on_untrusted) == (OnStale.MAX, OnUntrusted.HOLD)
    assert (spec().on_stale, spec().on_untrusted) == (OnStale.HOLD, OnUntrusted.BANDS)


def test_the_price_of_the_pool_stands_in_for_the_profiles() -> None:
    priced = {"name": "nvidia-h200", "count": 2, "costPerHour": "250m"}
    given = parse_fleet(fleet(prefill__pools__0__accelerator=priced))
    two = profiles(accelerator={"name": "nvidia-h200", "count": 2, "costPerHour": "9"})

    with pytest.raises(InvalidInputError, match="2 x nvidia-h200, as profile h200-8b"):
        fleet_spec(given, two)  # decode still asks for one

    both = parse_fleet(
        fleet(
            prefill__pools__0__accelerator=priced,
            decode__pools__0__accelerator={"name": "nvidia-h200", "count": 2},
        )
    )
    roles = fleet_spec(both, two).roles
    assert roles[Role.PREFILL].profile.cost_per_hour == 0.5
    assert roles[Role.DECODE].profile.cost_per_hour == 18.0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param(
            {"decode__pools__0__profileRef": "nobody"},
            "spec.decode.pools[0].profileRef: 'nobody' is not allowed: the name of an"
            " EngineProfile: h200-8b",
            id="no such profile",
        ),
        pytest.param(
            {"prefill__pools__0__accelerator__count": 4},
            "spec.prefill.pools[0].accelerator: '4 x nvidia-h200' is not allowed:"
            " 1 x nvidia-h200, as profile h200-8b",
            id="other accelerators than the profile's",
        ),
        pytest.param(
            {"model__name": "Qwen/Qwen3-32B"},
            "spec.prefill.pools[0].profileRef: 'h200-8b' is not allowed: a profile of"
            " Qwen/Qwen3-32B; it is of meta-llama/Llama-3.1-8B-Instruct",
            id="profile of another model",
        ),
        pytest.param(
            {
                "prefill__pools__0__accelerator__costPerHour": "4",
                "prefill__replicas": {"min": 3},
                "autoscaling__budget": {"costPerHour": "11.5"},
            },
            "spec.autoscaling.budget.costPerHour: '11.5' is not allowed: at least 12, which"
            " replicas.min of all roles together cost",
            id="budget below the cost of the minima",
        ),
    ],
)
def test_what_only_the_profile_shows_is_one_line(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        spec(**changes)

    assert str(caught.value) == message


def test_without_any_profile_the_error_says_so() -> None:
    with pytest.raises(InvalidInputError, match=r"the name of an EngineProfile: there is none$"):
        fleet_spec(parse_fleet(fleet()), {})
