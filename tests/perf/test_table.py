"""A table's times: by hand at small tables, equal to the three-term form where that is linear."""

from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.errors import InvalidInputError
from tandem.perf.engine_profile import DecodeCost
from tandem.perf.grid import Point
from tandem.perf.step_times import StepTimes
from tandem.perf.table import Calibration, TableTimes

# Fixed: 1 s a prefill batch, 1 s a decode step.
PREFILL = [
    (1, 100, 2.0),
    (1, 200, 3.0),
    (1, 400, 7.0),
    (2, 100, 2.5),
    (2, 200, 5.0),
    (2, 400, 13.0),
]
DECODE = [(1, 100, 2.0), (2, 100, 3.0), (1, 200, 3.0), (2, 200, 5.0)]
TABLE: StepTimes = TableTimes(PREFILL, DECODE, "by hand")


@pytest.mark.parametrize(
    ("chunks", "decoding", "context_tokens", "expected_s"),
    [
        pytest.param([(0, 100)], 0, 0, 2.0, id="one prompt at a point"),
        pytest.param([(0, 300)], 0, 0, 5.0, id="one prompt between points"),
        pytest.param([(0, 50)], 0, 0, 1.5, id="shorter than any: towards the fixed cost"),
        pytest.param([(0, 500)], 0, 0, 9.0, id="longer than any: on in a straight line"),
        pytest.param(
            [(100, 300)], 0, 0, 1.0 + 5.0 - 2.0, id="a chunk: what it adds and one fixed cost"
        ),
        pytest.param([(0, 400), (0, 400)], 0, 0, 13.0, id="equal prompts take their batch"),
        pytest.param([(0, 100), (0, 400)], 0, 0, 1.0 + 0.75 + 6.0, id="others a share each"),
        pytest.param([(0, 100)] * 4, 0, 0, 3.5, id="more prompts than any batch"),
        pytest.param([], 1, 100, 2.0, id="decode at a point"),
        pytest.param([], 2, 300, 4.0, id="decode between contexts"),
        pytest.param([], 4, 400, 5.0, id="decode past the largest batch"),
        pytest.param([], 2, 600, 7.0, id="decode past the longest context"),
        pytest.param([(0, 100)], 2, 300, 2.0 + 4.0 - 1.0, id="both read the weights once"),
        pytest.param([], 0, 0, 0.0, id="nothing"),
    ],
)
def test_a_step_takes(
    chunks: list[tuple[int, int]], decoding: int, context_tokens: int, expected_s: float
) -> None:
    assert TABLE.step_s(chunks, decoding, context_tokens) == pytest.approx(expected_s)


@given(st.lists(st.integers(1, 1000), min_size=1, max_size=6))
def test_a_prompt_in_chunks_takes_its_time_and_a_fixed_cost_more_each(sizes: list[int]) -> None:
    at, seconds = 0, 0.0
    for size in sizes:
        seconds += TABLE.step_s([(at, at + size)], 0, 0)
        at += size

    assert seconds == pytest.approx(TABLE.step_s([(0, at)], 0, 0) + (len(sizes) - 1) * 1.0)


@pytest.mark.parametrize(
    ("context_tokens", "most", "iterations", "first_s"),
    [
        pytest.param(120, 500, 41, 2.2, id="40 tokens a sequence to the edge, the edge too"),
        pytest.param(120, 7, 7, 2.2, id="fewer are asked for"),
        pytest.param(200, 500, 500, 3.0, id="the last cell has no end"),
    ],
)
def test_a_run_ends_at_the_edge_of_its_cell(
    context_tokens: int, most: int, iterations: int, first_s: float
) -> None:
    run = TABLE.decode_run(2, context_tokens, most)

    assert run == pytest.approx((iterations, first_s, 0.02))


def ragged() -> st.SearchStrategy[list[Point]]:
    """Decode tables of any shape, with two batches at some context."""
    point = st.tuples(st.integers(1, 32), st.integers(1, 500), st.floats(1e-4, 1.0))
    return st.lists(point, max_size=20).map(
        lambda more: [*more, (1, 50, 0.01), (2, 50, 0.012), (1, 100, 0.02)]
    )


@given(ragged(), st.integers(0, 80), st.integers(1, 60_000), st.integers(1, 400))
def test_a_run_is_its_steps_in_turn_whatever_the_table(
    decode: list[Point], decoding: int, context: int, most: int
) -> None:
    times = TableTimes(PREFILL, decode, "random")
    iterations, first_s, slope_s = times.decode_run(decoding, context, most)

    assert 1 <= iterations <= most
    for i in {0, iterations // 2, iterations - 1}:
        step_s = times.step_s([], decoding, context + i * decoding)
        assert first_s + i * slope_s == pytest.approx(step_s, rel=1e-9, abs=1e-12)


@given(st.integers(1, 80), st.integers(1, 2000))
def test_runs_one_after_the_other_come_to_the_end(decoding: int, most: int) -> None:
    done = runs = 0
    while done < most:
        iterations, _, _ = TABLE.decode_run(decoding, decoding * (60 + done), most - done)
        done += iterations
        runs += 1

    assert runs <= 3


@given(st.integers(1, 300), st.integers(0, 10**6))
def test_a_table_of_the_three_term_form_is_that_form(decoding: int, context: int) -> None:
    cost = DecodeCost(alpha_s=0.004, beta_s_per_sequence=2e-5, gamma_s_per_token=3e-8)
    holes = {(256, 8192), (64, 8192), (1, 128)}
    points = [
        (batch, tokens, cost.step_s(batch, batch * tokens))
        for batch in (1, 4, 64, 256)
        for tokens in (128, 1024, 8192)
        if (batch, tokens) not in holes
    ]
    times = TableTimes(PREFILL, points, "three terms")

    assert times.step_s([], decoding, context) == pytest.approx(cost.step_s(decoding, context))


def test_a_calibration_scales_and_shifts_every_point() -> None:
    calibrated = TableTimes(PREFILL, DECODE, "x", Calibration(2.0, 0.25, 3.0, 0.5))

    assert calibrated.step_s([(0, 200)], 0, 0) == pytest.approx(2 * 3.0 + 0.25)
    assert calibrated.step_s([], 1, 150) == pytest.approx(3 * 2.5 + 0.5)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("prefill_scale", 0.0),
        ("decode_scale", nan),
        ("prefill_offset_s", -0.1),
        ("decode_offset_s", inf),
    ],
)
def test_an_impossible_calibration_is_refused_by_its_name(name: str, value: float) -> None:
    with pytest.raises(InvalidInputError) as refused:
        Calibration(**{name: value})
    assert refused.value.field == f"calibration.{name}"


@pytest.mark.parametrize(
    ("prefill", "decode", "words"),
    [
        pytest.param([], DECODE, "t, prefill: '0 points at 0 lengths'", id="no prefill"),
        pytest.param(
            [(2, 1, 1.0), (2, 2, 1.0)], DECODE, "t, prefill, batch 1", id="no prompt alone"
        ),
        pytest.param(PREFILL, [(1, 1, 1.0), (1, 2, 1.0)], "t, decode, batch", id="one batch"),
        pytest.param(PREFILL, [(1, 1, -1.0)], "t, decode, seconds at batch 1", id="negative"),
    ],
)
def test_a_table_with_too_little_is_refused(
    prefill: list[Point], decode: list[Point], words: str
) -> None:
    with pytest.raises(InvalidInputError, match=words):
        TableTimes(prefill, decode, "t")
