"""DistServe's M/D/1: TTFT = D + R·D²/(2(1 − R·D))."""

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.planner.builders import D, P, counts, observation, spec

from tandem.planner.cells import Cells
from tandem.planner.demand import from_means
from tandem.planner.model import Memory
from tandem.planner.policies import distserve
from tandem.planner.policies.distserve import md1_rate_rps, md1_ttft_s


@pytest.mark.parametrize(
    ("rate_rps", "ttft_s"),
    [
        pytest.param(0.0, 0.1, id="alone"),
        pytest.param(5.0, 0.15, id="half used: half a service more"),
        pytest.param(9.0, 0.55, id="nine tenths used"),
        pytest.param(10.0, inf, id="overloaded"),
    ],
)
def test_the_curve(rate_rps: float, ttft_s: float) -> None:
    assert md1_ttft_s(0.1, rate_rps) == pytest.approx(ttft_s)


@given(service_s=st.floats(0.001, 1.0), slack=st.floats(1.1, 100.0))
def test_the_goodput_is_where_the_curve_meets_the_target(service_s: float, slack: float) -> None:
    rate_rps = md1_rate_rps(service_s, slack * service_s)

    if rate_rps > distserve.LEAST_USE / service_s:
        assert md1_ttft_s(service_s, rate_rps) == pytest.approx(slack * service_s)


def test_replicas_are_the_rate_over_the_goodput_of_one() -> None:
    """100 ms prompts, TTFT 1 s: w = 0.9, g_P = 1.8/(0.1·1.9) = 9.47. 30 requests/s: 3.17."""
    asked = spec(ttft_s=1.0, tpot_s=0.03)
    memory = Memory(rates=((300.0, 300.0, 9000.0),), cells=Cells.of((1000, 0, 200, 1.0)))

    goodput = distserve.goodput_rps(from_means(1000, 200), asked)
    wishes = distserve.decide(observation(300.0), memory, asked).wishes

    assert goodput[P] == pytest.approx(9.47, abs=0.01)
    residents = (0.030 - 0.010) / 0.126e-3  # steps of 10 ms + 0.126 ms for each of 1100 tokens
    assert goodput[D] == pytest.approx(residents / 0.030 / 200, rel=0.01)
    assert counts(wishes) == (4, 2)
