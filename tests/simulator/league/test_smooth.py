"""Smooth goodput, by hand: TTFT 2 s, TPOT 50 ms, over 10 s."""

import numpy as np
import pytest

from tandem.planner.spec import Slo
from tandem.simulator.league.smooth import smooth_goodput

SLO = Slo(ttft_s=2.0, tpot_s=0.05)


def of(*requests: tuple[int, float, float]) -> float:
    tokens, ttft_s, e2e_s = np.array(requests, dtype=float).reshape(-1, 3).T
    return smooth_goodput(tokens, ttft_s, e2e_s, SLO, 10.0)


@pytest.mark.parametrize(
    ("request_", "tokens"),
    [
        pytest.param((101, 1.0, 4.0), 101, id="in time: all of its tokens"),
        pytest.param((101, 3.0, 8.0), 81, id="a second late from first to last: 20 tokens"),
        pytest.param((101, 1.0, 9.0), 61, id="late at the end by 2 s: 40 tokens"),
        pytest.param((101, 60.0, 65.0), 0, id="hopelessly late: nothing, and no less"),
        pytest.param((1, 2.0, 2.0), 1, id="one token"),
    ],
)
def test_what_a_request_brings(request_: tuple[int, float, float], tokens: float) -> None:
    assert of(request_) == pytest.approx(tokens / 10.0)


def test_serving_a_late_request_never_lowers_it() -> None:
    assert of((101, 1.0, 4.0), (500, 90.0, 120.0)) >= of((101, 1.0, 4.0))


def test_nobody_served_is_nothing() -> None:
    assert of() == 0.0
