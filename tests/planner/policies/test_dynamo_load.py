"""Thresholds of Dynamo's `throughput` target: prefill 1.0 and 0.1 contexts, decode 100 and 60 % of KV."""

from typing import Any

import pytest
from tests.planner.builders import D, P, counts, observation, pair, spec

from tandem.planner.model import Memory
from tandem.planner.observation import Figure, Missing, PodCounts
from tandem.planner.policies import dynamo_load

CONTEXT = 16_384


def wish(pods: tuple[int, int] = (4, 4), factor: float = 1.0, **traffic: Any) -> tuple[int, int]:
    calm = {
        "queued_tokens": Figure(0.5 * pods[0] * CONTEXT),
        "kv_usage": {D: Figure(0.8)},
        "utilisation": {P: Figure(0.9), D: Figure(0.8)},
    }
    seen = observation(0.0, pods=pair(*pods), **{**calm, **traffic})
    asked = spec(policy="dynamo-load", parameters={"thresholds": factor})
    return counts(dynamo_load.decide(seen, Memory(), asked).wishes)


def queued(contexts_per_pod: float, pods: int = 4) -> dict[str, Any]:
    return {"queued_tokens": Figure(contexts_per_pod * pods * CONTEXT)}


@pytest.mark.parametrize(
    ("traffic", "expected"),
    [
        pytest.param({}, (4, 4), id="between the thresholds"),
        pytest.param(queued(1.0), (5, 4), id="a context queued at each replica"),
        pytest.param(queued(0.99), (4, 4), id="not quite"),
        pytest.param(queued(0.09), (3, 4), id="under a tenth of a context"),
        pytest.param({"kv_usage": {D: Figure(1.01)}}, (4, 5), id="more KV than there is"),
        pytest.param({"kv_usage": {D: Figure(0.59)}}, (4, 3), id="under 60 % of KV"),
        pytest.param({"kv_usage": {D: Missing("none")}}, (4, 4), id="KV unknown"),
        pytest.param({"queued_tokens": Missing("none")}, (4, 4), id="queue unknown"),
    ],
)
def test_one_more_or_one_fewer(traffic: dict[str, Any], expected: tuple[int, int]) -> None:
    assert wish(**traffic) == expected


def test_none_goes_whose_load_would_call_it_back() -> None:
    """Two replicas at 55 %: the one that stays would be at 110 %."""
    assert wish((2, 2), kv_usage={D: Figure(0.55)}) == (2, 2)
    assert wish((3, 3), kv_usage={D: Figure(0.55)}) == (3, 2)


def test_the_last_one_stays() -> None:
    assert wish((1, 1), queued_tokens=Figure(0.0), kv_usage={D: Figure(0.0)}) == (1, 1)


def test_a_queue_that_waits_for_decode_adds_decode_only() -> None:
    full: dict[str, Any] = {
        "utilisation": {P: Figure(0.9), D: Figure(1.0)},
        "kv_usage": {D: Figure(0.7)},
    }

    assert wish(**full, **queued(3.0)) == (4, 5)


def test_lower_thresholds_add_sooner() -> None:
    assert wish(factor=0.5) == (5, 5)


def test_nothing_moves_while_a_pod_starts() -> None:
    pods = {P: PodCounts(desired=5, ready=4, starting=1), D: PodCounts(desired=4, ready=4)}
    seen = observation(0.0, pods=pods, queued_tokens=Figure(1e6), kv_usage={D: Figure(1.01)})
    proposal = dynamo_load.decide(seen, Memory(), spec(policy="dynamo-load"))

    assert proposal.wishes == {P: 5, D: 4}
    assert "4 of 5 prefill" in proposal.reasons[D]
