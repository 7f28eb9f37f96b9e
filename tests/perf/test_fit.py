"""Fits find the costs that made the samples, and refuse samples that determine none."""

import math
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.errors import InvalidInputError
from tandem.perf.engine_profile import DecodeCost, PrefillCost
from tandem.perf.fit import fit_decode, fit_prefill

PROMPTS = (128, 512, 2048, 8192, 32768)
BATCHES = (1, 4, 16, 64, 256)
CONTEXTS = (128, 1024, 8192)
GOOD = [(128.0, 128.0**2, 0.01), (512.0, 512.0**2, 0.02), (2048.0, 2048.0**2, 0.05)]

seconds = st.floats(1e-4, 1e-1)
per_token = st.floats(1e-6, 1e-3)
per_square = st.floats(1e-11, 1e-8)


def prefill_samples(cost: PrefillCost) -> list[tuple[float, float, float]]:
    return [(n, n * n, cost.batch_s([(0, n)])) for n in PROMPTS]


def decode_samples(cost: DecodeCost) -> list[tuple[float, float, float]]:
    return [(b, b * c, cost.step_s(b, b * c)) for b in BATCHES for c in CONTEXTS]


@given(seconds, per_token, per_square)
def test_a_prefill_fit_finds_the_costs_that_made_its_samples(a: float, b: float, c: float) -> None:
    made = PrefillCost(a_s=a, b_s_per_token=b, c_s_per_token2=c)
    found, mean, worst, _ = fit_prefill(prefill_samples(made))
    for n in PROMPTS:
        assert found.batch_s([(0, n)]) == pytest.approx(made.batch_s([(0, n)]), rel=1e-9)
    assert mean <= worst < 1e-9


@given(seconds, per_token, per_square)
def test_a_decode_fit_finds_the_costs_that_made_its_samples(a: float, b: float, c: float) -> None:
    made = DecodeCost(alpha_s=a, beta_s_per_sequence=b, gamma_s_per_token=c)
    found, mean, worst, held_out = fit_decode(decode_samples(made))
    for batch, context, time_s in decode_samples(made):
        assert found.step_s(batch, context) == pytest.approx(time_s, rel=1e-9)
    assert mean <= worst < 1e-9
    assert held_out is not None
    assert held_out < 1e-9


@given(st.lists(st.floats(0.5, 2.0), min_size=5, max_size=5))
def test_costs_are_never_negative_however_noisy_the_samples(noise: list[float]) -> None:
    made = PrefillCost(a_s=0.002, b_s_per_token=2e-5, c_s_per_token2=5e-10)
    noisy = [
        (n, squares, time_s * factor)
        for (n, squares, time_s), factor in zip(prefill_samples(made), noise, strict=True)
    ]
    found = fit_prefill(noisy).cost
    assert min(found.a_s, found.b_s_per_token, found.c_s_per_token2) >= 0


def test_errors_are_relative_so_short_prompts_weigh_as_much_as_long_ones() -> None:
    """Of t and 1.5 t, Σ(x/tᵢ − 1)² is least at x = (1 + 1/1.5) / (1 + 1/1.5²) t = 15/13 t."""
    made = PrefillCost(a_s=0.01, b_s_per_token=2e-5, c_s_per_token2=5e-10)
    once = prefill_samples(made)
    found, mean, worst, _ = fit_prefill([*once, *((n, n2, 1.5 * t) for n, n2, t in once)])
    for n in PROMPTS:
        assert found.batch_s([(0, n)]) == pytest.approx(15 / 13 * made.batch_s([(0, n)]))
    assert worst == pytest.approx(1 - 10 / 13)
    assert mean == pytest.approx((2 / 13 + 3 / 13) / 2)


def test_too_few_rows_to_hold_any_out_give_no_hold_out_error() -> None:
    assert fit_prefill(GOOD).holdout_error is None


def test_a_row_of_several_batches_pays_the_fixed_cost_of_each() -> None:
    made = PrefillCost(a_s=0.01, b_s_per_token=2e-5, c_s_per_token2=5e-10)
    rows = [
        (n, n * n, made.batch_s([(0, n)]) + (chunks - 1) * made.a_s, chunks)
        for n, chunks in ((512, 1), (8192, 1), (16384, 2), (32768, 4))
    ]
    found = fit_prefill(rows).cost
    assert found.a_s == pytest.approx(made.a_s)
    assert found.b_s_per_token == pytest.approx(made.b_s_per_token)
    assert found.c_s_per_token2 == pytest.approx(made.c_s_per_token2)


def test_the_hold_out_error_is_that_of_a_fit_to_every_second_row() -> None:
    made = DecodeCost(alpha_s=0.005, beta_s_per_sequence=1e-5, gamma_s_per_token=3e-8)
    rows = decode_samples(made)
    slower = [(b, c, t * (1.2 if i % 2 else 1.0)) for i, (b, c, t) in enumerate(rows)]
    assert fit_decode(slower).holdout_error == pytest.approx(1 - 1 / 1.2)


@pytest.mark.parametrize(
    ("samples", "sentence"),
    [
        pytest.param([], "samples", id="nothing"),
        pytest.param(GOOD[:2], "2 rows.*at least 3 rows", id="two rows"),
        pytest.param([*GOOD, (4096.0, math.nan, 0.1)], r"row 3, Σ\(L² − p²\): nan", id="NaN"),
        pytest.param([*GOOD, (4096.0, 1.0, math.inf)], "row 3, seconds: inf", id="infinite"),
        pytest.param([(128.0, 1.0, -0.5), *GOOD], "row 0, seconds: -0.5", id="negative time"),
        pytest.param([(128.0, 1.0, 0.0), *GOOD], "row 0, seconds: 0.0", id="zero time"),
        pytest.param([(0.0, 1.0, 0.1), *GOOD], "row 0, Σn: 0.0", id="no tokens"),
        pytest.param([(1.0, 2.0)] * 4, r"\(4, 2\).*rows of \(Σn", id="two columns"),
        pytest.param([1.0, 2.0, 3.0], r"\(3,\)", id="one row as a list"),
        pytest.param([(1.0, 2.0, 3.0), (1.0,)], "all as long", id="ragged"),
        pytest.param([("a", "b", "c")], "numbers", id="words"),
        pytest.param([GOOD[0]] * 5, "5 rows.*differ enough", id="one length only"),
        pytest.param([*GOOD[:2], *GOOD[:2]], "4 rows.*differ enough", id="two lengths only"),
    ],
)
def test_samples_that_determine_no_fit_are_refused(samples: list[object], sentence: str) -> None:
    with pytest.raises(InvalidInputError, match=sentence):
        fit_prefill(samples)  # type: ignore[arg-type]


def test_decode_samples_need_both_batch_and_context_to_vary() -> None:
    same_context = [(b, 1024.0 * b, 0.01 + b * 1e-4) for b in (1.0, 8.0, 64.0, 256.0)]
    with pytest.raises(InvalidInputError, match="differ enough"):
        fit_decode(same_context)


def test_scipy_is_loaded_by_the_first_fit_and_not_before() -> None:
    script = "import sys, tandem.perf.fit as f; print('scipy' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout == "False\n"
