"""What the simulated gateway counts and expects, as the real one does."""

import pytest
from tests.fakes.simulated import requests, scenario

from tandem.gateway.arrivals import ArrivalCounts
from tandem.simulator.run import Run
from tandem.traces.generate import generate
from tandem.traces.model import Trace


def played(trace: Trace) -> Run:
    run = Run(scenario(trace))
    run.result()
    return run


def test_the_length_of_an_answer_is_expected_as_the_gateway_does() -> None:
    """256 before any; then the first one's, which each further one moves by a twentieth."""
    assert Run(scenario(requests((0, 90, 10)))).gateway.measured.expected_output_tokens == 256
    once = played(requests((0, 90, 10)))
    twice = played(requests((0, 90, 10), (5000, 90, 119)))
    assert once.gateway.measured.expected_output_tokens == 10
    assert twice.gateway.measured.expected_output_tokens == 16, "10 x 0.95 + 119 x 0.05 = 15.45"


@pytest.mark.parametrize("now_s", [60.0, 150.0, 290.5])
def test_dispersion_is_the_gateways(now_s: float) -> None:
    trace = generate(rate_rps=4.0, duration_s=300.0, seed=9)
    measured = Run(scenario(trace)).gateway.measured
    counts = ArrivalCounts(0.0)
    for request in trace.requests:
        if request.arrival_s < now_s:
            counts.arrived(request.arrival_s)
            measured.arrived(request.arrival_s)
    assert measured.dispersion(now_s) == pytest.approx(counts.dispersion(now_s, 1))


def test_too_few_seconds_have_no_dispersion() -> None:
    assert played(requests((0, 90, 1), (4000, 90, 1))).gateway.measured.dispersion(5.0) is None
