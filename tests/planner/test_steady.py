"""A policy's answer to a load that does not move, against what its own formula gives by hand."""

import pytest
from tests.planner.builders import counts, demand, spec

from tandem.planner.policies.table import POLICIES
from tandem.planner.steady import settle

LOAD = demand(rate_rps=60.0, input_tokens=1000.0, output_tokens=200.0)  # 6 and 2.3 replicas' work


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        # 60 · 1000 tokens/s over 10 976; 60 · 200 over 5300: a batch of 159 in steps of 30 ms
        pytest.param("tokenscale", (6, 3), id="tokenscale: full replicas"),
        # M/D/1 with D = 0.1 and w = 0.9: 2 · 0.9/(0.1 · 1.9) = 9.47 a second
        pytest.param("distserve", (7, 3), id="distserve: a mean TTFT"),
        # no more than 60 % busy: 6/10; 81 of 159 requests in each of three, 246 in each of two
        pytest.param("chiron", (10, 3), id="chiron: back-pressure"),
    ],
)
def test_what_a_rule_settles_on(policy: str, expected: tuple[int, int]) -> None:
    found = settle(LOAD, spec(policy=policy))

    assert found.stands
    assert counts(found.replicas) == expected
    assert policy in found.reasons[0]


def test_a_rule_that_swings_says_between_what() -> None:
    """Dynamo's thresholds know too many and too few: nothing between while the queue is empty."""
    found = settle(LOAD, spec(policy="dynamo-load"))

    assert not found.stands
    assert found.fewest != found.most


def test_limits_hold_and_are_told() -> None:
    found = settle(LOAD, spec(policy="tokenscale", high=(4, 64)))

    assert counts(found.replicas) == (4, 3)
    assert any("max 6 -> 4" in reason for reason in found.reasons)


@pytest.mark.parametrize("policy", POLICIES)
def test_every_policy_has_an_answer_to_next_to_nothing(policy: str) -> None:
    found = settle(demand(rate_rps=0.01), spec(policy=policy))

    assert all(1 <= count <= 64 for count in found.replicas.values())
