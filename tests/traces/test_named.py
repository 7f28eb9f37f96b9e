"""Each built-in load has the character that its name promises."""

from pathlib import Path

import pytest

from tandem.errors import InvalidInputError
from tandem.traces.generate import generate
from tandem.traces.named import CHARACTERS, built_in, load
from tandem.traces.names import LOADS
from tandem.traces.statistics import statistics


def test_the_load_of_issue_10528_is_a_sine_of_1_to_24_requests_a_second() -> None:
    trace = built_in("sine-10528", seed=1)
    figures = statistics(trace)
    assert figures.span_s == 1800
    assert figures.rate_rps == pytest.approx(12.5, rel=0.03)
    assert {(r.input_tokens, r.output_tokens) for r in trace.requests} == {(8000, 1000)}
    times_s = [r.arrival_s % 600 for r in trace.requests]
    lowest = sum(t < 20 or t > 580 for t in times_s) / 3 / 40
    highest = sum(280 < t < 320 for t in times_s) / 3 / 40
    assert (lowest, highest) == pytest.approx((1, 24), rel=0.2, abs=0.25)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_bursty_has_idle_minutes_and_a_variation_near_13(seed: int) -> None:
    figures = statistics(built_in("bursty", seed))
    assert figures.gap_cv == pytest.approx(13, rel=0.35)
    assert figures.idle_share is not None
    assert 0.1 < figures.idle_share < 0.4


def test_drift_moves_both_lengths_by_ten_times_a_quarter_day_apart() -> None:
    trace = built_in("drift", seed=1)
    assert trace.duration_s == 86_400
    hours: list[list[tuple[int, int]]] = [[] for _ in range(24)]
    for r in trace.requests:
        hours[int(r.arrival_s // 3600)].append((r.input_tokens, r.output_tokens))
    means = [[sum(pair[side] for pair in hour) / len(hour) for hour in hours] for side in (0, 1)]
    for side in means:
        assert max(side) / min(side) == pytest.approx(10, rel=0.2)
    inputs, outputs = means
    apart = inputs.index(max(inputs)) - outputs.index(max(outputs))
    assert apart == pytest.approx(6, abs=2)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_multi_turn_has_long_contexts_of_which_most_is_reused(seed: int) -> None:
    figures = statistics(built_in("multi-turn", seed))
    assert figures.input_tokens.p99 == pytest.approx(85_000, rel=0.12)
    assert figures.rate_rps == pytest.approx(2.0, rel=0.1)
    assert figures.prefix_reuse is not None
    assert figures.prefix_reuse > 0.8
    assert figures.sessions > 1000


def test_poisson_is_poisson() -> None:
    figures = statistics(built_in("poisson", seed=1))
    assert figures.fano[10.0] == pytest.approx(1, abs=0.25)
    assert figures.gap_cv == pytest.approx(1, abs=0.05)


def test_the_default_load_has_a_name_too() -> None:
    assert built_in("generated", seed=3) == generate(5.5, 600.0, seed=3)


@pytest.mark.parametrize("name", LOADS)
def test_a_name_loads_as_a_file_would(name: str, tmp_path: Path) -> None:
    if name != "drift":
        assert load(name, seed=2) == built_in(name, seed=2)
    path = tmp_path / name
    path.write_text('{"timestamp": 1, "input_length": 1, "output_length": 1}\n')
    assert len(load(str(path)).requests) == 1, "a path is a file, whatever the file is called"


def test_what_is_neither_file_nor_name_is_refused_with_the_names() -> None:
    with pytest.raises(InvalidInputError, match=r"--trace: 'sine'.*sine-10528, bursty"):
        load("sine")
    with pytest.raises(InvalidInputError, match=r"--like: 'sine'.*sine-10528, bursty"):
        built_in("sine", seed=1)


def test_every_load_is_named_where_names_are_listed() -> None:
    assert tuple(CHARACTERS) == LOADS
