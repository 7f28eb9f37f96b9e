"""What engines take corrects what their profile tells, and no poisoned figure does."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.planner.builders import spec

from tandem.api.role import Role
from tandem.planner.calibration import calibrated, observed
from tandem.planner.cells import Cells
from tandem.planner.memory import from_json, to_json
from tandem.planner.model import Memory
from tandem.planner.observation import (
    Figure,
    LengthCounts,
    Missing,
    Observation,
    PodCounts,
    Reading,
    Traffic,
)
from tandem.planner.plan import plan
from tandem.planner.spec import FleetSpec

SPEC = spec()
PROFILE = SPEC.roles[Role.PREFILL].profile
SHORT = Cells.of((1000, 0, 200, 5.0), (4000, 0, 100, 1.0))
PROMPT_S = (5 * PROFILE.prefill_s(1000) + PROFILE.prefill_s(4000)) / 6
RUNNING, KV = 20.0, 0.1
STEP_S = PROFILE.decode.step_s(RUNNING, KV * PROFILE.kv.capacity_tokens)


def look(requests: float, slower: float, *, at_s: float = 0.0, **others: Any) -> Observation:
    """Five seconds in which engines were slower than their profile by a factor."""
    told = {
        "arrivals": Figure(requests),
        "queued_requests": Figure(0.0),
        "finished": Figure(requests),
        "lengths": LengthCounts(cells=SHORT),
        "prompts": prompts(requests),
        "tpot_s": Figure(slower * STEP_S),
        "running": {Role.DECODE: Figure(RUNNING)},
        "kv_usage": {Role.DECODE: Figure(KV)},
        "utilisation": {Role.PREFILL: Figure(slower * requests * PROMPT_S / 5.0 / 4)},
    }
    pods = dict.fromkeys(Role, PodCounts(desired=4, ready=4))
    traffic = Traffic(interval_s=5.0, **{**told, **others})
    return Observation(now_s=at_s, pods=pods, traffic=traffic, revision="one")


def prompts(requests: float) -> LengthCounts:
    """So many, as those that ended."""
    return LengthCounts(cells=SHORT.times(requests / 6))


def learnt(slower: float, requests: int, a_look: float = 10.0) -> Memory:
    memory = Memory(cells=SHORT)
    for turn in range(int(requests / a_look)):
        memory = observed(look(a_look, slower, at_s=5.0 * turn), memory, SPEC)
    return memory


def factors(memory: Memory, asked: FleetSpec = SPEC) -> list[float]:
    """By how much a prompt, and a step of what replicas hold, take longer than the profile tells."""
    before, after = (
        fleet.roles[Role.PREFILL].profile for fleet in (asked, calibrated(asked, memory))
    )
    held = RUNNING, KV * PROFILE.kv.capacity_tokens
    return [
        after.prefill_s(1000) / before.prefill_s(1000),
        after.decode.step_s(*held) / before.decode.step_s(*held),
    ]


@given(st.floats(0.5, 2.0))
def test_a_profile_that_is_wrong_by_up_to_two_is_corrected_within_200_requests(
    slower: float,
) -> None:
    assert factors(learnt(slower, 200)) == pytest.approx([slower] * 2, rel=0.1)


def test_a_right_profile_stays_as_it_is() -> None:
    assert calibrated(SPEC, Memory()) == SPEC
    assert factors(learnt(1.0, 500)) == pytest.approx([1.0, 1.0])


def test_each_role_s_times_are_scaled_by_its_own() -> None:
    memory = replace(learnt(1.0, 400), terms=learnt(2.0, 4000).terms)
    assert factors(memory) == pytest.approx([1.0, 2.0], rel=0.02)


def test_prompts_count_when_they_are_prefilled() -> None:
    """Twenty came, fifteen wait: five prompts took all that time, and ten the interval after."""
    memory = Memory(cells=SHORT)
    first = look(20, 1.0, prompts=prompts(5), utilisation=busy(5))
    then = look(0, 1.0, at_s=5.0, prompts=prompts(10), utilisation=busy(10))
    for seen in (first, then):
        memory = observed(seen, memory, SPEC)
    assert factors(memory)[0] == pytest.approx(1.0)
    assert memory.times[Role.PREFILL].requests == pytest.approx(15.0, rel=0.01)


def test_prompts_that_grow_are_no_slower_engine() -> None:
    """Four times as long from now on, and none of them has ended: the engines are as they were."""
    memory = learnt(1.0, 100)
    long_s = PROFILE.prefill_s(4000)
    for turn in range(10):
        seen = look(10, 1.0, at_s=900.0 + 5 * turn, lengths=Missing("none has ended"),
            prompts=LengthCounts(cells=Cells.of((4000, 0, 1, 10.0))),
            utilisation={Role.PREFILL: Figure(10 * long_s / 5.0 / 4)},
        )  # fmt: skip
        memory = observed(seen, memory, SPEC)
    assert factors(memory)[0] == pytest.approx(1.0)


def busy(prompts: float) -> dict[Role, Figure]:
    return {Role.PREFILL: Figure(prompts * PROMPT_S / 5.0 / 4)}


POISON: list[Reading] = [
    Missing("no scrape"),
    Figure(float("nan")),
    Figure(float("inf")),
    Figure(-1.0),
    Figure(1e9),
    Figure(1.0, age_s=1e6),
]


@pytest.mark.parametrize("reading", POISON)
@pytest.mark.parametrize("name", ["utilisation", "finished", "tpot_s", "kv_usage"])
def test_a_poisoned_figure_moves_nothing_of_what_it_is_about(name: str, reading: Reading) -> None:
    before = learnt(1.3, 300)
    figure = reading if name in {"finished", "tpot_s"} else dict.fromkeys(Role, reading)
    after = observed(look(10, 4.0, at_s=900.0, **{name: figure}), before, SPEC)
    role = 0 if name == "utilisation" else 1
    assert factors(after)[role] == factors(before)[role]


numbers = st.one_of(
    st.sampled_from([float("nan"), float("inf"), -float("inf"), -1.0, 1e9, 1e300]),
    st.floats(max_value=-1e-6),
)
ages = st.sampled_from([0.0, 1e6, -5.0, float("nan"), float("inf")])


@given(st.builds(Figure, numbers, ages), st.floats(allow_nan=True), st.integers(0, 10**6))
def test_a_look_of_nothing_but_poison_moves_nothing(
    reading: Figure, count: float, tokens: int
) -> None:
    before = learnt(1.3, 300)
    each = dict.fromkeys(Role, reading)
    poison = look(
        10, 1.3, at_s=900.0, arrivals=reading, finished=reading, tpot_s=reading, running=each,
        utilisation=each, kv_usage=each,
        lengths=LengthCounts(cells=Cells.of((0, 0, tokens, count), (tokens, 0, 0, 1.0))),
        prompts=LengthCounts(cells=Cells.of((0, 0, tokens, count), (tokens, 0, 0, 1.0))),
    )  # fmt: skip
    after = observed(poison, before, SPEC)
    assert factors(after) == factors(before)


@pytest.mark.parametrize("at_s", [pytest.param(145.0, id="twice"), pytest.param(50.0, id="late")])
def test_figures_that_were_seen_or_overtaken_move_nothing(at_s: float) -> None:
    before = learnt(1.3, 300)
    assert observed(look(10, 4.0, at_s=at_s), before, SPEC) == before


@pytest.mark.parametrize("slower", [0.01, 100.0])
def test_what_no_engine_could_be_is_a_broken_figure(slower: float) -> None:
    before = learnt(1.3, 300)
    after = observed(look(10, slower, at_s=900.0), before, SPEC)
    assert factors(after) == factors(before)


def test_one_odd_interval_moves_little() -> None:
    before = learnt(1.0, 600)
    after = observed(look(10, 3.0, at_s=900.0), before, SPEC)
    assert factors(after) == pytest.approx([1.0, 1.0], rel=0.05)


def test_what_was_learnt_survives_a_restart() -> None:
    memory = learnt(1.7, 300)
    stored, why = from_json(to_json(memory))
    assert not why
    assert factors(stored) == pytest.approx(factors(memory))
    assert stored.engines == memory.engines


def test_another_revision_is_learnt_anew_within_a_hundred_requests() -> None:
    """Twice as fast: of a hundred hours of the old one no more is left than a guess."""
    memory, faster = learnt(1.0, 20_000, a_look=100.0), []
    for turn in range(10):
        seen = replace(look(10, 0.5, at_s=1100.0 + 5 * turn), revision="two")
        memory = observed(seen, memory, SPEC)
        faster.append(factors(memory))
    assert faster[0][1] > 0.7
    assert faster[-1] == pytest.approx([0.5, 0.5], rel=0.4)
    unchanged = learnt(1.0, 20_000, a_look=100.0)
    for turn in range(10):
        unchanged = observed(look(10, 0.5, at_s=1100.0 + 5 * turn), unchanged, SPEC)
    assert factors(unchanged)[0] > 0.95


def test_a_profile_that_was_measured_anew_forgets_its_own_errors() -> None:
    """Half of it was wrong, and somebody mended it: what made up for that would now be too much."""
    memory = learnt(2.0, 1000)
    profile = calibrated(SPEC, memory).roles[Role.PREFILL].profile
    mended = replace(SPEC, roles={r: replace(SPEC.roles[r], profile=profile) for r in Role})
    idle = look(0, 1.0, at_s=900.0, finished=Figure(0.0), lengths=Missing("none"))
    assert factors(observed(idle, memory, mended), mended) == [1.0, 1.0]


def test_a_model_that_answers_shorter_is_planned_for_within_minutes() -> None:
    """70 % shorter answers: decode follows within three minutes of the new revision, not twenty."""
    asked = spec(tpot_s=0.02, lead_time_s=20.0)

    def decodes(revision: str) -> int:
        memory, now_s, decided = Memory(), 0.0, None
        while now_s < 1200.0:
            now_s += 5.0
            short = now_s > 1000.0
            cells = Cells.of((1000, 0, 300 if short else 1000, 150.0))
            traffic = Traffic(
                interval_s=5.0,
                arrivals=Figure(150.0),
                lengths=LengthCounts(cells=cells),
                dispersion=Figure(1.0),
                queued_requests=Figure(0.0),
                queued_tokens=Figure(0.0),
            )
            seen = Observation(
                now_s=now_s,
                pods=dict.fromkeys(Role, PodCounts(desired=5, ready=5)),
                traffic=traffic,
                revision=revision if short else "long",
            )
            decided = plan(seen, memory, asked, learns=False)
            memory = decided.memory
        assert decided is not None
        return decided.roles[Role.DECODE].unclamped

    assert decodes("short") < decodes("long")
