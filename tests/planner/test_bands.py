from typing import Any

import pytest
from tests.planner.builders import D, P, counts, observation, pair, spec

from tandem.planner import bands
from tandem.planner.observation import Figure, Missing, PodCounts
from tandem.planner.policies.proposal import Proposal

SPEC = spec(ttft_s=1.0, tpot_s=0.03)
MODEL = Proposal(wishes=pair(40, 40), ideal=pair(50, 50), reasons={P: "", D: ""}, goal=0.9)
CALM: dict[str, Any] = {
    "utilisation": {P: Figure(0.6), D: Figure(0.5)},
    "kv_usage": {D: Figure(0.3)},
    "tpot_s": Figure(0.024),
    "finished": Figure(100.0),
    "met_ttft": Figure(100.0),
}


@pytest.mark.parametrize(
    ("traffic", "expected"),
    [
        pytest.param({}, (6, 4), id="within the bands"),
        pytest.param({"utilisation": {P: Figure(0.9), D: Figure(0.5)}}, (9, 4), id="prefill busy"),
        pytest.param({"utilisation": {P: Figure(0.2), D: Figure(0.5)}}, (5, 4), id="prefill idle"),
        pytest.param({"kv_usage": {D: Figure(0.9)}}, (6, 6), id="KV full"),
        pytest.param({"tpot_s": Figure(0.03)}, (6, 6), id="TPOT at its target"),
        pytest.param({"tpot_s": Figure(0.3)}, (6, 8), id="at most twice as many at a look"),
        pytest.param(
            {
                "utilisation": {P: Figure(0.6), D: Figure(0.1)},
                "kv_usage": {D: Figure(0.1)},
                "tpot_s": Figure(0.015),
            },
            (6, 3),
            id="decode idle",
        ),
        pytest.param(
            {"met_ttft": Figure(90.0), "queued_requests": Figure(30.0)}, (10, 4), id="late, queued"
        ),
        pytest.param({"met_ttft": Figure(90.0)}, (6, 4), id="late, but nothing waits any more"),
        pytest.param(
            {
                "met_ttft": Figure(90.0),
                "queued_requests": Figure(30.0),
                "kv_usage": {D: Figure(0.97)},
            },
            (6, 7),
            id="the queue waits for decode",
        ),
        pytest.param({"utilisation": {}, "kv_usage": {}}, (6, 4), id="nothing but TPOT is known"),
        pytest.param(
            {
                "utilisation": {P: Figure(float("nan")), D: Missing("none")},
                "kv_usage": {D: Figure(0.9, age_s=1e4)},
                "tpot_s": Figure(-1.0),
            },
            (6, 4),
            id="nothing at all is known",
        ),
    ],
)
def test_a_role_stays_within_its_band(traffic: dict[str, Any], expected: tuple[int, int]) -> None:
    seen = observation(100.0, pods=pair(6, 4), **{**CALM, **traffic})
    assert counts(bands.instead(MODEL, seen, SPEC, "why").wishes) == expected


def test_pods_that_start_are_waited_for() -> None:
    starting = {P: PodCounts(desired=9, ready=6, starting=3), D: PodCounts(desired=4, ready=4)}
    full = {**CALM, "utilisation": {P: Figure(0.9), D: Figure(0.5)}}
    idle = {**CALM, "utilisation": {P: Figure(0.1), D: Figure(0.5)}}
    for traffic in (full, idle):
        seen = observation(100.0, pods=starting, **traffic)
        assert counts(bands.instead(MODEL, seen, SPEC, "why").wishes) == (9, 4)


def test_nothing_of_the_model_is_left_and_the_reason_is_told() -> None:
    seen = observation(100.0, pods=pair(6, 4), **CALM)
    proposal = bands.instead(MODEL, seen, SPEC, "the model is off")
    assert proposal.ideal == proposal.wishes
    assert proposal.goal == 0
    assert proposal.notes == (
        "the model is off: scaled by bands of use until it is believed again",
    )
    assert proposal.hold_s == bands.DOWN_S
