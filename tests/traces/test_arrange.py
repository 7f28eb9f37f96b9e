"""Shifted, spliced, mixed and jittered traces hold the same requests over the same time."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.errors import InvalidInputError
from tandem.traces.arrange import jitter, mix, shift, splice
from tandem.traces.model import Trace, over
from tandem.traces.request import TraceRequest


def trace(*times_s: float, span_s: float = 10.0, name: str = "t", sessions: int = 0) -> Trace:
    requests = (
        TraceRequest(
            arrival_s=t,
            input_tokens=index + 1,
            output_tokens=1,
            session=f"s{index % sessions}" if sessions else "",
            hash_ids=(index,),
        )
        for index, t in enumerate(times_s)
    )
    return over(name, requests, span_s)


def times(of: Trace) -> list[float]:
    return [request.arrival_s for request in of.requests]


def inputs(of: Trace) -> list[int]:
    return [request.input_tokens for request in of.requests]


@pytest.mark.parametrize("by_s", [3.0, 13.0, -7.0])
def test_what_passes_the_end_comes_at_the_start(by_s: float) -> None:
    moved = shift(trace(1, 6, 8), by_s)
    assert (times(moved), inputs(moved)) == ([1, 4, 9], [3, 1, 2])
    assert moved.duration_s == 10


def test_a_session_shifts_as_a_whole_even_past_the_end() -> None:
    moved = shift(trace(1, 6, 8, sessions=1), 3.0)
    assert times(moved) == [4, 9, 11]


@given(by_s=st.floats(0, 100), seed=st.integers(0, 99))
def test_noise_keeps_requests_and_duration(by_s: float, seed: int) -> None:
    base = trace(*np.linspace(0, 10, 50).tolist())
    noisy = jitter(base, by_s, seed)
    assert sorted(inputs(noisy)) == inputs(base)
    assert noisy.duration_s == pytest.approx(10)
    assert all(0 <= t <= 10 + 1e-9 for t in times(noisy))


def test_noise_has_the_deviation_that_was_asked_for() -> None:
    base = trace(*np.linspace(0, 1000, 20_000).tolist(), span_s=1000)
    before = dict(zip(inputs(base), times(base), strict=True))
    moves = [r.arrival_s - before[r.input_tokens] for r in jitter(base, 2.0, seed=1).requests]
    assert float(np.std(moves)) == pytest.approx(2.0, rel=0.03)


def test_noise_keeps_the_turns_of_a_session_in_order_and_apart() -> None:
    base = trace(*range(10), sessions=2)
    noisy = jitter(base, 5.0, seed=3)
    for session in ("s0", "s1"):
        turns = [r for r in noisy.requests if r.session == session]
        assert [r.input_tokens for r in turns] == sorted(r.input_tokens for r in turns)
        assert np.diff([r.arrival_s for r in turns]) == pytest.approx(2.0)


def test_no_noise_is_the_same_trace_and_noise_is_seeded() -> None:
    base = trace(*range(10))
    assert jitter(base, 0.0, seed=1) == base
    assert jitter(base, 1.0, seed=1) == jitter(base, 1.0, seed=1) != jitter(base, 1.0, seed=2)


def test_spliced_traces_follow_each_other_with_their_quiet_ends() -> None:
    joined = splice([trace(1, 9, span_s=12), trace(0, 4, span_s=5, name="u"), trace(2)])
    assert times(joined) == [1, 9, 12, 16, 19]
    assert (joined.name, joined.duration_s) == ("t+u+t", 27)


def test_spliced_traces_share_neither_sessions_nor_blocks() -> None:
    joined = splice([trace(1, 2, sessions=1), trace(1, 2, sessions=1)])
    assert [r.session for r in joined.requests] == ["s0", "s0", "s0#1", "s0#1"]
    assert [r.hash_ids for r in joined.requests] == [(0,), (1,), (2,), (3,)]
    again = splice([joined, joined])
    assert len({r.session for r in again.requests}) == 4
    assert len({r.hash_ids for r in again.requests}) == 8


def test_a_mix_fades_from_one_trace_to_the_other_and_back() -> None:
    """In a period of 100 s all is of the first at 0 and 100 s, all of the second at 50 s."""
    often = np.linspace(0, 100, 40_000).tolist()
    first, second = (trace(*often, span_s=100, name=name) for name in "ab")
    mixed = mix(first, second, period_s=100.0, seed=1)
    assert len(mixed.requests) == pytest.approx(40_000, rel=0.02), "the rates are not added up"
    for middle_s in (5, 25, 50, 75, 95):
        near = [r.class_name for r in mixed.requests if abs(r.arrival_s - middle_s) < 2.5]
        share = (1 + math.cos(2 * math.pi * middle_s / 100)) / 2
        assert near.count("a") / len(near) == pytest.approx(share, abs=0.04)


def test_a_mix_lasts_as_long_as_the_shorter_and_keeps_sessions_whole() -> None:
    first = trace(*np.linspace(0, 20, 200).tolist(), span_s=20, sessions=20)
    second = trace(*np.linspace(0, 10, 200).tolist(), sessions=20, name="u")
    mixed = mix(first, second, period_s=7.0, seed=1)
    assert mixed.duration_s == 10
    turns = [r.session for r in mixed.requests if r.class_name == "u"]
    assert {turns.count(session) for session in turns} == {10}


@pytest.mark.parametrize("value", [math.nan, math.inf, -1.0])
def test_a_time_that_is_none_is_refused(value: float) -> None:
    with pytest.raises(InvalidInputError, match="--by"):
        jitter(trace(1, 2), value, seed=1)
    with pytest.raises(InvalidInputError, match="--mix"):
        mix(trace(1, 2), trace(1, 2), value, seed=1)


def test_a_trace_of_one_instant_can_not_move() -> None:
    at_once = trace(0, 0, 0, span_s=0)
    with pytest.raises(InvalidInputError, match="lasts some time"):
        shift(at_once, 1.0)
    with pytest.raises(InvalidInputError, match="lasts some time"):
        jitter(at_once, 1.0, seed=1)
