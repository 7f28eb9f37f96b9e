"""Scaling thins or lays shifted copies over each other; it never stretches time."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import bdtr, bdtrc

from tandem.errors import InvalidInputError
from tandem.traces.model import Trace
from tandem.traces.request import TraceRequest
from tandem.traces.scale import at_rate, superpose, thin, window

FIVE_SIGMA = 2.9e-7  # a probability beyond, on one side


def trace(count: int = 1000, seconds: float = 100.0, sessions: int = 0) -> Trace:
    return Trace(
        name="even",
        requests=tuple(
            TraceRequest(
                arrival_s=seconds * index / count,
                input_tokens=index + 1,
                output_tokens=1,
                session=f"s{index % sessions}" if sessions else "",
                hash_ids=(index,),
            )
            for index in range(count)
        ),
        span_s=seconds,
    )


@given(factor=st.floats(min_value=0.2, max_value=6), seed=st.integers(0, 99))
def test_the_rate_comes_out_and_the_duration_stays(factor: float, seed: int) -> None:
    base = trace(count=200)
    scaled = at_rate(base, base.rate_rps * factor, seed)
    spread = 5 * (200 * 0.25) ** 0.5  # five sigma of the thinned part
    assert abs(len(scaled.requests) - 200 * factor) <= spread
    assert scaled.duration_s == base.duration_s
    assert all(0 <= r.arrival_s < 100 for r in scaled.requests)


def test_at_its_own_rate_a_trace_is_itself() -> None:
    assert at_rate(trace(), trace().rate_rps, seed=3) == trace()


def test_thinning_keeps_the_times_of_what_it_keeps() -> None:
    kept = at_rate(trace(), 3.0, seed=1)
    assert set(kept.requests) < set(trace().requests)


def test_copies_wrap_so_that_they_make_no_step() -> None:
    """A trace that is busy only at its end: a copy that did not wrap would leave its start empty."""
    late = tuple(
        TraceRequest(arrival_s=90 + i / 10, input_tokens=1, output_tokens=1) for i in range(100)
    )
    base = Trace(name="late", requests=late, span_s=100.0)
    counts = np.zeros(10)
    for seed in range(20):
        times_s = [r.arrival_s for r in at_rate(base, base.rate_rps * 20, seed).requests]
        counts += np.histogram(times_s, bins=10, range=(0, 100))[0]
    assert counts.sum() == 20 * 2000
    shifted = counts - np.array([0] * 9 + [20 * 100])  # the first copy is not shifted
    assert shifted.min() > 0.7 * shifted.mean()


def test_every_copy_has_every_length_once() -> None:
    lengths = Counter(r.input_tokens for r in at_rate(trace(), 30.0, seed=1).requests)
    assert set(lengths.values()) == {3}


def test_copies_share_neither_sessions_nor_kv_blocks() -> None:
    doubled = at_rate(trace(sessions=10), 20.0, seed=1)
    assert len({r.session for r in doubled.requests}) == 20
    assert len({r.hash_ids for r in doubled.requests}) == 2000


@pytest.mark.parametrize("rate_rps", [4.0, 25.0], ids=["thinned", "superposed"])
def test_sessions_stay_whole_and_in_order(rate_rps: float) -> None:
    turns: dict[str, list[int]] = {}
    for request in at_rate(trace(sessions=50), rate_rps, seed=7).requests:
        turns.setdefault(request.session, []).append(request.input_tokens)
    assert all(len(found) == 20 and found == sorted(found) for found in turns.values())


@pytest.mark.parametrize("rate_rps", [4.0, 25.5])
def test_scaling_is_seeded(rate_rps: float) -> None:
    assert at_rate(trace(), rate_rps, seed=5) == at_rate(trace(), rate_rps, seed=5)
    assert at_rate(trace(), rate_rps, seed=5) != at_rate(trace(), rate_rps, seed=6)


@pytest.mark.parametrize("rate_rps", [0.0, -1.0, float("nan"), float("inf"), 1e-9])
def test_a_rate_that_leaves_nothing_is_refused(rate_rps: float) -> None:
    with pytest.raises(InvalidInputError, match="--rate"):
        at_rate(trace(), rate_rps, seed=1)


@given(share=st.floats(min_value=0.2, max_value=1), seed=st.integers(0, 99))
def test_thinning_keeps_about_its_share_where_it_was(share: float, seed: int) -> None:
    kept = thin(trace(count=400), share, seed)
    count = len(kept.requests)
    assert min(bdtr(count, 400, share), bdtrc(count - 1, 400, share)) > FIVE_SIGMA
    assert set(kept.requests) <= set(trace(count=400).requests)
    assert kept.duration_s == 100


def test_so_many_copies_are_the_same_as_so_many_times_the_rate() -> None:
    assert superpose(trace(), 3, seed=4) == at_rate(trace(), 30.0, seed=4)
    assert superpose(trace(), 1, seed=4) == trace()


def test_copies_of_copies_share_no_session() -> None:
    twice = superpose(superpose(trace(sessions=10), 2, seed=1), 2, seed=2)
    turns = Counter(r.session for r in twice.requests)
    assert (len(turns), set(turns.values())) == (40, {100})


@pytest.mark.parametrize("share", [0.0, -0.1, 1.1, float("nan"), 1e-9])
def test_a_share_that_keeps_nothing_or_more_than_all_is_refused(share: float) -> None:
    with pytest.raises(InvalidInputError, match="--keep"):
        thin(trace(), share, seed=1)


@pytest.mark.parametrize("copies", [0, -1, 1_000_000])
def test_copies_that_can_not_be_are_refused(copies: int) -> None:
    with pytest.raises(InvalidInputError, match="--copies"):
        superpose(trace(), copies, seed=1)


def test_a_trace_of_one_instant_has_nothing_to_shift_copies_by() -> None:
    at_once = Trace(name="once", requests=(trace().requests[0],) * 3)
    with pytest.raises(InvalidInputError, match="one instant"):
        superpose(at_once, 2, seed=1)


def test_a_window_counts_from_its_start_and_lasts_what_was_asked() -> None:
    part = window(trace(), start_s=20.0, duration_s=5.0)
    assert [r.input_tokens for r in part.requests] == list(range(201, 251))
    assert (part.requests[0].arrival_s, part.duration_s) == (0.0, 5.0)


def test_a_window_past_the_end_ends_with_the_trace() -> None:
    part = window(trace(), start_s=90.0, duration_s=50.0)
    assert (len(part.requests), part.duration_s) == (100, 10.0)


def test_an_empty_window_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="--duration"):
        window(trace(), start_s=500.0, duration_s=5.0)
