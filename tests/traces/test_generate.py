"""The built-in trace has the character it claims."""

import numpy as np
import pytest

from tandem.errors import InvalidInputError
from tandem.traces.generate import generate


def test_rate_and_mean_lengths_are_those_asked_for() -> None:
    """Over whole waves (12,600 s holds both length waves and the rate's 14 times)."""
    trace = generate(rate_rps=5.5, duration_s=12_600, seed=1)
    inputs = np.mean([r.input_tokens for r in trace.requests])
    outputs = np.mean([r.output_tokens for r in trace.requests])
    assert trace.rate_rps == pytest.approx(5.5, rel=0.05)
    assert [float(inputs), float(outputs)] == pytest.approx([1155, 211], rel=0.05)


def test_arrivals_are_burstier_than_poisson() -> None:
    trace = generate(rate_rps=5.5, duration_s=3600, seed=2)
    counts = np.histogram([r.arrival_s for r in trace.requests], bins=360, range=(0, 3600))[0]
    assert counts.var() / counts.mean() > 3


def test_prefill_and_decode_demand_move_apart_within_minutes() -> None:
    """Input per output token, minute by minute, moves by more than 2.5 within 15 minutes."""
    trace = generate(rate_rps=200, duration_s=900, seed=3)
    minute = np.array([r.arrival_s // 60 for r in trace.requests])
    inputs = np.array([r.input_tokens for r in trace.requests])
    outputs = np.array([r.output_tokens for r in trace.requests])
    ratios = [inputs[minute == m].sum() / outputs[minute == m].sum() for m in range(15)]
    assert max(ratios) / min(ratios) > 2.5


def test_the_same_seed_gives_the_same_trace_and_another_one_another() -> None:
    assert generate(5, 60, seed=1) == generate(5, 60, seed=1)
    assert generate(5, 60, seed=1) != generate(5, 60, seed=2)


@pytest.mark.parametrize(
    ("rate_rps", "duration_s", "field"),
    [
        (0, 60, "--rate"),
        (5, -1, "--duration"),
        (5, float("inf"), "--duration"),
        (1e-9, 1, "--rate"),
    ],
)
def test_what_gives_no_trace_is_refused(rate_rps: float, duration_s: float, field: str) -> None:
    with pytest.raises(InvalidInputError, match=field):
        generate(rate_rps, duration_s, seed=1)
