"""What holds of every policy: it says what it is, and no observation makes it fail."""

from math import sin
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.planner.builders import D, P, observation, pair, spec

from tandem.api.policy_names import COMPARED_POLICY_NAMES, POLICY_NAMES
from tandem.api.role import Role
from tandem.errors import InvalidInputError
from tandem.planner import memory as memories
from tandem.planner.cells import Cells
from tandem.planner.model import Memory
from tandem.planner.observation import Figure, LengthCounts, Missing, PodCounts
from tandem.planner.plan import plan
from tandem.planner.policies.proposal import Provenance
from tandem.planner.policies.table import POLICIES, named
from tandem.planner.spec import OWN_PACE
from tandem.routing.orders import ORDERS

SWEPT = {name: policy for name, policy in POLICIES.items() if policy.aggressiveness}
any_number = st.one_of(
    st.floats(), st.floats(0, 2), st.floats(0, 1e6), st.sampled_from([0.0, 1.0, float("nan")])
)
readings = st.one_of(st.builds(Figure, any_number, any_number), st.just(Missing("none")))
lengths = st.tuples(st.integers(1, 100_000), st.just(0), st.integers(1, 10_000))
pods = st.builds(
    lambda desired, ready: PodCounts(desired=desired, ready=ready),
    st.integers(0, 20),
    st.integers(0, 20),
)


def test_the_table_has_the_names_that_can_be_asked_for() -> None:
    assert tuple(POLICIES) == COMPARED_POLICY_NAMES


def test_a_resource_may_choose_what_its_authors_code_or_paper_tells() -> None:
    told = {Provenance.CODE, Provenance.PAPER}

    assert set(POLICY_NAMES) == {n for n, policy in POLICIES.items() if policy.provenance in told}


@pytest.mark.parametrize("name", POLICIES)
def test_each_says_where_it_comes_from_and_where_it_fails(name: str) -> None:
    policy = POLICIES[name]

    assert policy.source
    assert policy.fails_where
    assert policy.own_order in ORDERS


@pytest.mark.parametrize("name", SWEPT)
def test_a_sweep_goes_from_lean_to_generous_through_what_is_allowed(name: str) -> None:
    swept = SWEPT[name].aggressiveness
    assert swept is not None

    assert len(swept.sweep) == 7
    assert list(swept.sweep) == sorted(swept.sweep, reverse=swept.generous == "lower")
    for value in swept.sweep:
        SWEPT[name].check({swept.parameter: value})


@pytest.mark.parametrize("name", SWEPT)
def test_what_is_swept_trades_replicas(name: str) -> None:
    """The generous end asks for more than the lean one in the very same situation."""
    swept = SWEPT[name].aggressiveness
    assert swept is not None

    lean, generous = (_settled(name, {swept.parameter: swept.sweep[end]}) for end in (0, -1))

    assert generous > lean


@pytest.mark.parametrize("name", POLICIES)
def test_defaults_are_within_their_own_bounds(name: str) -> None:
    policy = POLICIES[name]

    policy.check({n: p.default for n, p in policy.parameters.items() if p.default is not None})


@given(data=st.data())
def test_whatever_is_seen_every_policy_has_an_answer_that_survives_json(
    data: st.DataObject,
) -> None:
    """The same three looks for all of them: drawing is what takes time."""
    looks = [
        observation(
            200.0 * tick,
            rate_rps=data.draw(readings),
            pods={role: data.draw(pods) for role in Role},
            **_drawn(data),
        )
        for tick in range(3)
    ]
    for name in POLICIES:
        asked, memory = spec(policy=name, behavior=OWN_PACE), Memory()
        for tick, seen in enumerate(looks):
            decided = plan(seen, memory, asked, learns=name == "tandem")
            targets = {role: decision.target for role, decision in decided.roles.items()}
            if name == "tandem" and decided.prediction is not None:
                assert 0 <= decided.prediction.attainment <= 1
            assert all(1 <= target <= 64 for target in targets.values()) or tick == 0, name
            memory, damage = memories.from_json(memories.to_json(decided.memory))
            assert not damage, name


def test_an_unknown_policy_is_refused_with_those_there_are() -> None:
    with pytest.raises(
        InvalidInputError, match="policy: 'magic' is not allowed: one of tandem, st"
    ):
        named("magic")


def test_static_wishes_for_what_it_is_told() -> None:
    asked = spec(policy="static", parameters={"prefill": 3})
    proposal = named("static").decide(observation(0.0, pods=pair(7, 4)), Memory(), asked)

    assert proposal.wishes == {P: 3, D: 4}


def _settled(name: str, parameters: dict[str, float]) -> int:
    """Replicas, summed over the ticks of ten minutes of a load that moves."""
    memory, asked = Memory(), spec(policy=name, parameters=parameters, behavior=OWN_PACE)
    fleet, now_s, asked_for = pair(6, 6), 0.0, 0
    while now_s < 600.0:
        now_s += 5.0
        rate_rps = 20.0 + 8.0 * sin(now_s / 40.0)
        busy = rate_rps / fleet[P] / 10.5
        seen = observation(
            now_s,
            rate_rps=rate_rps,
            pods=fleet,
            utilisation={P: Figure(min(1.0, busy)), D: Figure(min(1.0, 1.2 / fleet[D]))},
            running={P: Figure(min(1.0, busy)), D: Figure(min(256.0, 300.0 / fleet[D]))},
            kv_usage={P: Figure(0.0), D: Figure(min(1.0, 1.2 / fleet[D]))},
            queued_tokens=Figure(3000.0 if busy > 0.8 else 0.0),
        )
        decided = plan(seen, memory, asked)
        memory = decided.memory
        fleet = {role: decision.target for role, decision in decided.roles.items()}
        asked_for += fleet[P] + fleet[D]
    return asked_for


def _drawn(data: st.DataObject) -> dict[str, Any]:
    """Figures of every kind, believable or not."""
    cell = (*data.draw(lengths), data.draw(any_number))
    by_role = ("running", "kv_usage", "utilisation")
    single = ("finished", "ttft_s", "tpot_s", "output_tokens", "queued_requests", "queued_tokens")
    return {
        "lengths": LengthCounts(cells=Cells.of(cell)),
        **{name: {role: data.draw(readings) for role in Role} for name in by_role},
        **{name: data.draw(readings) for name in single},
    }
