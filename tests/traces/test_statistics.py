"""Each figure against one worked out by hand, and against what is known of real traces."""

from pathlib import Path

import pytest

from tandem.traces.model import Trace, over
from tandem.traces.read import read_trace
from tandem.traces.request import TraceRequest
from tandem.traces.statistics import block_tokens, prefix_reuse, statistics


def trace(*times_s: float, span_s: float = 0.0) -> Trace:
    requests = (TraceRequest(arrival_s=t, input_tokens=100, output_tokens=10) for t in times_s)
    return over("t", requests, span_s)


def lengths(*pairs: tuple[float, int, int]) -> Trace:
    return over(
        "t",
        (TraceRequest(arrival_s=t, input_tokens=i, output_tokens=o) for t, i, o in pairs),
        0.0,
    )


def hashed(*requests: tuple[int, tuple[int, ...]]) -> Trace:
    made = (
        TraceRequest(arrival_s=float(k), input_tokens=tokens, output_tokens=1, hash_ids=ids)
        for k, (tokens, ids) in enumerate(requests)
    )
    return over("t", made, 0.0)


def test_rate_and_peak_count_over_the_recorded_span() -> None:
    """Five requests in 40 s; three of them in the second 10 s. The last 5 s are no whole window."""
    figures = statistics(trace(1, 11, 12, 19, 44.5, span_s=45))
    assert (figures.requests, figures.span_s) == (5, 45)
    assert figures.rate_rps == pytest.approx(5 / 45)
    assert figures.peak_rps == pytest.approx(0.3)


def test_the_fano_factor_counts_empty_windows() -> None:
    """Counts of 10 s: 3, 0, 1, 0: mean 1, variance (4 + 1 + 0 + 1) / 4 = 1.5."""
    figures = statistics(trace(0, 1, 2, 25, span_s=40))
    assert figures.fano[10.0] == pytest.approx(1.5)
    assert figures.fano[60.0] is None, "not one whole minute"


def test_gap_variation_is_deviation_over_mean() -> None:
    """Gaps 1, 1, 4: mean 2, variance (1 + 1 + 4) / 3 = 2."""
    assert statistics(trace(0, 1, 2, 6)).gap_cv == pytest.approx(2**0.5 / 2)


def test_idle_minutes_are_those_without_a_request() -> None:
    assert statistics(trace(0, 59, 130, span_s=240)).idle_share == pytest.approx(2 / 4)


def test_lengths_have_mean_percentiles_and_largest() -> None:
    """Of 1..100, P90 lies between ranks: 1 + 0.9 x 99 = 90.1."""
    figures = statistics(lengths(*((float(k), k, 7) for k in range(1, 101))))
    found = figures.input_tokens
    assert (found.mean, found.p50, found.largest) == (50.5, 50.5, 100)
    assert (found.p90, found.p99) == pytest.approx((90.1, 99.01))
    assert figures.output_tokens.p99 == 7


def test_the_ratio_is_of_sums_and_by_ten_minutes() -> None:
    """First window 300:30 = 10, third 100:50 = 2, all 400:80 = 5; the second has no request."""
    figures = statistics(lengths((0, 200, 10), (599, 100, 20), (1300, 100, 50)))
    ratio = figures.input_per_output
    assert (ratio.mean, ratio.least, ratio.most) == (5, 2, 10)


def test_prefix_reuse_counts_leading_blocks_that_were_there_before() -> None:
    """Blocks of 64. The second shares 2 of 3 blocks, the third none: its first block is another."""
    of = hashed((192, (1, 2, 3)), (192, (1, 2, 4)), (192, (9, 2, 3)))
    assert block_tokens(of) == 64
    assert prefix_reuse(of) == pytest.approx(128 / 576)


def test_a_block_that_is_part_full_counts_the_tokens_it_has() -> None:
    """1,000 tokens in blocks of 512: the second block holds 488, so all of a repeated prompt is reused."""
    of = hashed((1000, (1, 2)), (1000, (1, 2)))
    assert block_tokens(of) == 512
    assert prefix_reuse(of) == pytest.approx(1000 / 2000)


def test_sessions_and_classes_are_counted() -> None:
    requests = [
        TraceRequest(arrival_s=k, input_tokens=1, output_tokens=1, session=session, class_name=kind)
        for k, (session, kind) in enumerate([("a", "chat"), ("a", ""), ("b", "chat"), ("", "x")])
    ]
    figures = statistics(over("t", requests, 0.0))
    assert (figures.sessions, dict(figures.classes)) == (2, {"chat": 2, "x": 1})


@pytest.mark.parametrize(
    "of", [pytest.param(trace(0), id="one request"), pytest.param(trace(0, 0, 0), id="equal times")]
)
def test_what_a_trace_of_one_instant_can_not_tell_is_none(of: Trace) -> None:
    figures = statistics(of)
    assert (figures.rate_rps, figures.peak_rps, figures.gap_cv, figures.idle_share) == (None,) * 4
    assert set(figures.fano.values()) == {None}
    assert (figures.input_per_output.mean, figures.prefix_reuse) == (10, None)


def test_a_span_of_more_windows_than_memory_holds_is_no_trouble() -> None:
    figures = statistics(trace(0, 1e15))
    assert figures.fano[1.0] == pytest.approx(1.0)
    assert figures.idle_share == pytest.approx(1.0)


@pytest.mark.data
def test_azure_has_the_figures_that_are_known_of_it(data_folder: Path) -> None:
    path = data_folder / "azure2023/AzureLLMInferenceTrace_conv.csv.gz"
    figures = statistics(read_trace(path))
    assert figures.requests == 19_366
    assert figures.rate_rps == pytest.approx(5.5, abs=0.05)
    assert figures.fano[10.0] == pytest.approx(3.9, abs=0.05)
    assert figures.prefix_reuse is None


@pytest.mark.data
@pytest.mark.parametrize(
    ("path", "reuse", "sessions"),
    [
        pytest.param("mooncake/synthetic_trace.jsonl.gz", 0.65, 0, id="Mooncake"),
        pytest.param("agent-sessions/magagent_calls.jsonl.gz", 0.82, 25, id="agent sessions"),
    ],
)
def test_prefix_reuse_is_what_is_known_of_real_traces(
    data_folder: Path, path: str, reuse: float, sessions: int
) -> None:
    figures = statistics(read_trace(data_folder / path))
    assert figures.prefix_reuse == pytest.approx(reuse, abs=0.01)
    assert figures.sessions == sessions


@pytest.mark.data
def test_servegen_drifts_as_its_description_says(data_folder: Path) -> None:
    ratio = statistics(
        read_trace(data_folder / "servegen/m-large_day2_x0.05.parquet")
    ).input_per_output
    assert (ratio.least, ratio.most) == pytest.approx((1.5, 15), rel=0.1)
