"""A run minute by minute: every request in one cell, means and worst minutes by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.simulator.pages.columns import Requests
from tandem.simulator.pages.minutes import Minutes, minutes
from tandem.simulator.pages.verdicts import REASONS

QUEUE, TPOT = REASONS.index("prefill queue"), REASONS.index("decode TPOT")


def counted(rows: list[tuple[float, int]], duration_s: float) -> Minutes:
    """Minutes of (arrival s, verdict); TTFT 1 s, of which the queue 0.25 s; TPOT 20 ms."""
    size = len(rows)
    requests = Requests(
        arrival_s=np.array([row[0] for row in rows], dtype=np.float64),
        encode_s=np.full(size, np.nan),
        queue_s=np.full(size, 0.25),
        prefill_s=np.full(size, 0.25),
        transfer_s=np.full(size, 0.25),
        ttft_s=np.full(size, 1.0),
        tpot_s=np.full(size, 0.02),
        e2e_s=np.full(size, 2.0),
        outcome=np.zeros(size, dtype=np.int8),
    )
    codes = np.array([row[1] for row in rows], dtype=np.int8)
    return minutes(requests, codes, duration_s)


def test_minutes_by_hand() -> None:
    """Two of three met in the first minute, none came in the second, none of two met in the third."""
    rows = [(0.0, 0), (30.0, QUEUE), (59.9, 0), (120.0, TPOT), (170.0, TPOT)]
    found = counted(rows, 180.0)
    assert found.arrivals.tolist() == [3, 0, 2]
    assert found.missed.tolist() == [1, 0, 2]
    assert found.attainment[[0, 2]] == pytest.approx([2 / 3, 0.0])
    assert np.isnan(found.attainment[1])
    assert found.ttft_parts_s[:, 0] == pytest.approx([0.25] * 4)
    assert np.isnan(found.tpot_s[1])
    assert list(found.worst(5)) == [2, 0]
    assert [found.main_reason(index) for index in (2, 0)] == ["decode TPOT", "prefill queue"]


def test_all_met_has_no_worst_minute() -> None:
    assert list(counted([(1.0, 0), (61.0, 0)], 120.0).worst(5)) == []


def test_one_instant_is_one_minute() -> None:
    assert counted([(0.0, 0), (0.0, QUEUE)], 0.0).arrivals.tolist() == [2]


def test_a_run_of_days_takes_wider_intervals() -> None:
    week_s = 7 * 86_400.0
    found = counted([(0.0, 0), (week_s, 0)], week_s)
    assert found.width_s == 600.0
    assert found.unit == "intervals of 0:10:00"
    assert len(found.arrivals) == 1008


@given(
    st.lists(
        st.tuples(st.floats(0.0, 40_000.0), st.integers(0, len(REASONS) - 1)),
        min_size=1,
        max_size=50,
    )
)
def test_every_request_is_in_one_cell(rows: list[tuple[float, int]]) -> None:
    """However long the run and whatever the verdicts; late turns of a session fall into the end."""
    found = counted(rows, 36_000.0)
    assert found.by_reason.sum() == len(rows)
    assert found.by_reason.sum(axis=1).tolist() == [
        sum(code == reason for _, code in rows) for reason in range(len(REASONS))
    ]
    assert (found.by_reason.sum(axis=0) == found.arrivals).all()
