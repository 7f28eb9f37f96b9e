"""Scaling thins or lays shifted copies over each other; it never stretches time."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.errors import InvalidInputError
from tandem.traces.model import Trace
from tandem.traces.request import TraceRequest
from tandem.traces.scale import at_rate, window


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


def test_a_window_counts_from_its_start_and_lasts_what_was_asked() -> None:
    part = window(trace(), start_s=20.0, duration_s=5.0)
    assert [r.input_tokens for r in part.requests] == list(range(201, 251))
    assert (part.requests[0].arrival_s, part.duration_s) == (0.0, 5.0)


def test_an_empty_window_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="--duration"):
        window(trace(), start_s=500.0, duration_s=5.0)
