"""Latency: what a request's own size costs before its first token."""

import pytest
from tests.planner.builders import spec

from tandem.planner.demand import Demand, mix
from tandem.planner.queueing.stages import UNLIMITED
from tandem.planner.queueing.tandem import Tandem


def test_a_prompt_of_a_token_among_giants_takes_no_time_less_than_none() -> None:
    """Its first step is far shorter than a mean resident's, by more than its prefill takes."""
    lengths = mix([1, 6382], [0, 0], [1, 487_958], [0.03, 0.97])
    tandem = Tandem(Demand(rate_rps=0.0, lengths=lengths), spec())

    assert tandem.path_s(UNLIMITED).min() == 0.0
    assert tandem.attainment(UNLIMITED, UNLIMITED) == pytest.approx(1.0)
