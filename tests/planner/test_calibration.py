"""What engines take corrects what their profile tells, and no poisoned figure does."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.planner.builders import spec

from tandem.api.role import Role
from tandem.planner.calibration import calibrated, factor, observed
from tandem.planner.memory import from_json, to_json
from tandem.planner.model import Memory
from tandem.planner.observation import Figure, Missing, Observation, PodCounts, Reading, Traffic

SPEC = spec()
PROFILE = SPEC.roles[Role.PREFILL].profile
CELLS = ((1000, 0, 200, 5.0), (4000, 0, 100, 1.0))
PROMPT_S = (5 * PROFILE.prefill_s(1000) + PROFILE.prefill_s(4000)) / 6
RUNNING, KV = 20.0, 0.1
STEP_S = PROFILE.decode.step_s(RUNNING, KV * PROFILE.kv.capacity_tokens)


def look(requests: float, slower: float, **others: Any) -> Observation:
    """Five seconds in which engines were slower than their profile by a factor."""
    told = {
        "arrivals": Figure(requests),
        "queued_requests": Figure(0.0),
        "finished": Figure(requests),
        "tpot_s": Figure(slower * STEP_S),
        "running": {Role.DECODE: Figure(RUNNING)},
        "kv_usage": {Role.DECODE: Figure(KV)},
        "utilisation": {Role.PREFILL: Figure(slower * requests * PROMPT_S / 5.0 / 4)},
    }
    pods = dict.fromkeys(Role, PodCounts(desired=4, ready=4))
    return Observation(now_s=0.0, pods=pods, traffic=Traffic(interval_s=5.0, **{**told, **others}))


def learnt(slower: float, requests: int, a_look: float = 10.0) -> Memory:
    memory = Memory(cells=CELLS)
    for _ in range(int(requests / a_look)):
        memory = observed(look(a_look, slower), memory, SPEC)
    return memory


@given(st.floats(0.5, 2.0))
def test_a_profile_that_is_wrong_by_up_to_two_is_corrected_within_200_requests(
    slower: float,
) -> None:
    memory = learnt(slower, 200)
    for role in Role:
        assert factor(memory, role) == pytest.approx(slower, rel=0.1)


def test_a_right_profile_stays_as_it_is() -> None:
    assert calibrated(SPEC, Memory()) == SPEC
    assert factor(learnt(1.0, 500), Role.PREFILL) == pytest.approx(1.0)


def test_each_role_s_times_are_scaled_by_its_own_factor() -> None:
    memory = learnt(1.0, 400)
    memory = replace(memory, times={Role.DECODE: learnt(2.0, 4000).times[Role.DECODE]})
    profile = calibrated(SPEC, memory).roles[Role.DECODE].profile
    assert profile.prefill_s(1000) == pytest.approx(PROFILE.prefill_s(1000))
    assert profile.decode.step_s(10, 5000) == pytest.approx(
        2 * PROFILE.decode.step_s(10, 5000), rel=0.02
    )


def test_prompts_that_still_wait_were_not_begun() -> None:
    """Twenty came, fifteen wait: five prompts took all that time, and ten the interval after."""
    memory = Memory(cells=CELLS)
    first = look(20, 1.0, queued_requests=Figure(15.0))
    busy = {Role.PREFILL: Figure(5 * PROMPT_S / 5.0 / 4)}
    first = replace(first, traffic=replace(first.traffic, utilisation=busy))
    then = look(0, 1.0, queued_requests=Figure(5.0))
    busy = {Role.PREFILL: Figure(10 * PROMPT_S / 5.0 / 4)}
    then = replace(then, traffic=replace(then.traffic, utilisation=busy))
    for seen in (first, then):
        memory = observed(seen, memory, SPEC)
    assert factor(memory, Role.PREFILL) == pytest.approx(1.0)
    assert memory.times[Role.PREFILL].requests == pytest.approx(15.0, rel=0.01)


POISON: list[Reading] = [
    Missing("no scrape"),
    Figure(float("nan")),
    Figure(float("inf")),
    Figure(-1.0),
    Figure(1e9),
    Figure(1.0, age_s=1e6),
]


@pytest.mark.parametrize("reading", POISON)
@pytest.mark.parametrize("name", ["arrivals", "queued_requests", "finished", "tpot_s"])
def test_a_poisoned_figure_moves_nothing_of_what_it_is_about(name: str, reading: Reading) -> None:
    before = learnt(1.3, 300)
    after = observed(look(10, 1.3, **{name: reading}), before, SPEC)
    role = Role.PREFILL if name in {"arrivals", "queued_requests"} else Role.DECODE
    assert factor(after, role) == factor(before, role)


@pytest.mark.parametrize("slower", [0.01, 100.0])
def test_what_no_engine_could_be_is_a_broken_figure(slower: float) -> None:
    before = learnt(1.3, 300)
    after = observed(look(10, slower), before, SPEC)
    assert [factor(after, role) for role in Role] == [factor(before, role) for role in Role]


def test_what_was_learnt_survives_a_restart() -> None:
    memory = learnt(1.7, 300)
    stored, why = from_json(to_json(memory))
    assert not why
    assert [factor(stored, role) for role in Role] == pytest.approx(
        [factor(memory, role) for role in Role]
    )
