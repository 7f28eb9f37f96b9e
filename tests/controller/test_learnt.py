"""What was learnt of the engines, in the words of an EngineProfile."""

from dataclasses import replace

import pytest
from tests.planner.builders import spec
from tests.planner.test_calibration import PROFILE, SPEC, learnt

from tandem.controller import learnt as told
from tandem.planner.model import Memory, Sums


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


def test_the_link_is_told_once_kv_has_come() -> None:
    """Bytes take half as long again as the profile says."""
    links = Sums(took_s=150.0, told_s=100.0, requests=5000.0)
    found = told.of(replace(learnt(1.0, 100), links=links), SPEC)
    silent = told.of(learnt(1.0, 100), SPEC)
    assert found is not None
    assert found.transfer is not None
    assert silent is not None
    assert silent.transfer is None
    assert found.transfer.times_of_profile == pytest.approx(1.5, rel=0.01)
    assert found.transfer.requests == 5000
    assert found.transfer.cost.bandwidth_bytes_per_second == pytest.approx(
        PROFILE.transfer.bandwidth_bytes_per_s / 1.5, rel=0.01
    )
    assert found.transfer.cost.latency_seconds == PROFILE.transfer.latency_s


def test_trust_is_that_of_the_role_that_is_trusted_less() -> None:
    memory = learnt(1.0, 100)
    facts = {"trust.prefill": 0.0, "trust.decode": 1.0, "trust.low_s": 0.0, "trust.is_lost": 0.0}
    found = told.of(Memory(times=memory.times, terms=memory.terms, facts=facts), SPEC)
    assert found is not None
    assert (found.trust, found.prefill.trust, found.decode.trust) == (0.5, 1.0, 0.5)


def test_nothing_is_told_before_a_request_has_told_anything() -> None:
    assert told.of(Memory(), spec()) is None
    assert told.of(learnt(1.0, 100), None) is None
