import pytest
from tests.planner.builders import D, P, observation, pair, spec

from tandem.api.policy_names import POLICY_NAMES
from tandem.errors import InvalidInputError
from tandem.planner.model import Memory
from tandem.planner.policies.table import POLICIES, named


def test_the_table_has_the_names_that_a_resource_may_choose() -> None:
    assert tuple(POLICIES) == POLICY_NAMES


@pytest.mark.parametrize("name", POLICIES)
def test_each_says_where_it_comes_from_and_where_it_fails(name: str) -> None:
    policy = POLICIES[name]

    assert policy.source
    assert policy.fails
    assert policy.knob.split(" and ")[0] in policy.parameters


@pytest.mark.parametrize("name", POLICIES)
def test_defaults_are_within_their_own_bounds(name: str) -> None:
    policy = POLICIES[name]

    policy.check({n: p.default for n, p in policy.parameters.items() if p.default is not None})


def test_an_unknown_policy_is_refused_with_those_there_are() -> None:
    with pytest.raises(
        InvalidInputError, match="policy: 'magic' is not allowed: one of tandem, st"
    ):
        named("magic")


def test_static_wishes_for_what_it_is_told() -> None:
    asked = spec(policy="static", parameters={"prefill": 3})
    proposal = named("static").decide(observation(0.0, pods=pair(7, 4)), Memory(), asked)

    assert proposal.wishes == {P: 3, D: 4}
