"""What was learnt of the engines, in the words of an EngineProfile."""

import pytest
from tests.planner.builders import spec
from tests.planner.test_calibration import PROFILE, SPEC, learnt

from tandem.controller import learnt as told
from tandem.planner.model import Memory


def test_costs_are_those_that_the_engines_take_and_say_how_many_requests_tell() -> None:
    found = told.of(learnt(2.0, 2000), SPEC)
    assert found is not None
    assert found.prefill.times_of_profile == pytest.approx(2.0, rel=0.05)
    assert found.prefill.cost.b_seconds_per_token == pytest.approx(
        2 * PROFILE.prefill.b_s_per_token, rel=0.05
    )
    assert found.decode.times_of_profile == pytest.approx(2.0, rel=0.05)
    assert found.decode.cost.alpha_seconds == pytest.approx(2 * PROFILE.decode.alpha_s, rel=0.05)
    assert found.prefill.requests > 500
    assert (found.trust, found.decode.trust) == (None, None), "no policy asked the model"


def test_trust_is_that_of_the_role_that_is_trusted_less() -> None:
    memory = learnt(1.0, 100)
    facts = {"trust.prefill": 0.0, "trust.decode": 1.0, "trust.low_s": 0.0, "trust.is_lost": 0.0}
    found = told.of(Memory(times=memory.times, terms=memory.terms, facts=facts), SPEC)
    assert found is not None
    assert (found.trust, found.prefill.trust, found.decode.trust) == (0.5, 1.0, 0.5)


def test_nothing_is_told_before_a_request_has_told_anything() -> None:
    assert told.of(Memory(), spec()) is None
    assert told.of(learnt(1.0, 100), None) is None
