from typing import Any

import pytest
from tests.planner.builders import D, P, observation, spec

from tandem.planner.model import Memory
from tandem.planner.observation import Figure, Missing, PodCounts
from tandem.planner.policies import hpa

HPA = spec(policy="hpa", parameters={"target": 0.5})


def wish(pods: PodCounts, role: Any = P, **traffic: Any) -> int:
    seen = observation(0.0, pods={P: pods, D: pods}, **traffic)
    return hpa.decide(seen, Memory(), HPA).wishes[role]


@pytest.mark.parametrize(
    ("use", "expected"),
    [
        pytest.param(0.9, 8, id="ceil(4 x 0.9/0.5)"),
        pytest.param(0.55, 4, id="within a tenth above"),
        pytest.param(0.45, 4, id="within a tenth below"),
        pytest.param(0.56, 5, id="just beyond"),
        pytest.param(0.25, 2, id="half of the target"),
        pytest.param(0.26, 3, id="rounded up"),
        pytest.param(0.0, 0, id="idle"),
    ],
)
def test_replicas_follow_utilisation(use: float, expected: int) -> None:
    assert wish(PodCounts(desired=4, ready=4), utilisation={P: Figure(use)}) == expected


def test_pods_that_are_not_ready_count_as_idle_on_the_way_up() -> None:
    """Else every tick of a cold start would multiply the wish again."""
    assert wish(PodCounts(desired=8, ready=4, starting=4), utilisation={P: Figure(1.0)}) == 8
    assert wish(PodCounts(desired=6, ready=4, starting=2), utilisation={P: Figure(1.0)}) == 8
    assert wish(PodCounts(desired=8, ready=4, starting=4), utilisation={P: Figure(0.6)}) == 8


def test_exactly_the_target_changes_nothing() -> None:
    assert wish(PodCounts(desired=3, ready=3), utilisation={P: Figure(0.5)}) == 3


@pytest.mark.parametrize(
    ("traffic", "expected"),
    [
        pytest.param({"utilisation": {D: Figure(0.8)}}, 7, id="utilisation"),
        pytest.param({"kv_usage": {D: Figure(0.9)}}, 8, id="KV"),
        pytest.param({"running": {D: Figure(256.0)}}, 8, id="a full batch"),
        pytest.param(
            {"running": {D: Figure(128.0)}, "kv_usage": {D: Figure(0.9)}}, 8, id="the larger one"
        ),
        pytest.param(
            {"running": {D: Figure(256.0)}, "kv_usage": {D: Missing("none")}}, 8, id="what is known"
        ),
    ],
)
def test_decode_is_as_busy_as_its_scarcest_resource(traffic: dict[str, Any], expected: int) -> None:
    assert wish(PodCounts(desired=4, ready=4), D, **traffic) == expected


def test_a_role_of_unknown_utilisation_stays_and_says_so() -> None:
    pods = PodCounts(desired=4, ready=4)
    seen = observation(0.0, pods={P: pods, D: pods}, utilisation={P: Missing("no scrape")})
    proposal = hpa.decide(seen, Memory(), HPA)

    assert proposal.wishes == {P: 4, D: 4}
    assert "no scrape" in proposal.reasons[P]


def test_fewer_only_after_five_minutes() -> None:
    assert hpa.decide(observation(0.0), Memory(), HPA).hold_s == 300.0
