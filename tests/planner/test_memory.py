import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.examples import fewer
from tests.planner.builders import D, P, observation

from tandem.planner.cells import Cells
from tandem.planner.memory import from_json, joined, remember, to_json
from tandem.planner.model import Memory
from tandem.planner.observation import Figure, LengthCounts, Missing, Observation

STALE_S = 60.0


def remembered(*looks: Observation, memory: Memory | None = None) -> Memory:
    kept = memory or Memory()
    for look in looks:
        kept = remember(look, kept, STALE_S)
    return kept


def test_a_look_is_remembered_whole() -> None:
    memory = remembered(observation(5.0, rate_rps=20.0, dispersion=Figure(1.0)))

    assert memory.started_s == 5.0
    assert memory.rates == ((5.0, 5.0, 100.0),)
    assert memory.work == ((5.0, 5.0, 100_000.0),)
    assert memory.cells == Cells.of((1000, 0, 200, 100.0))
    assert memory.prompts == Cells.of((1000, 0, 1, 100.0))
    assert memory.dispersion == 1.0


def test_tokens_that_wait_more_than_before_came_too_but_not_those_of_the_first_look() -> None:
    looks = (
        observation(5.0 * turn, rate_rps=20.0, queued_tokens=Figure(queued))
        for turn, queued in enumerate((40_000.0, 50_000.0, 20_000.0), start=1)
    )
    assert [row[2] for row in remembered(*looks).work] == [100_000.0, 110_000.0, 70_000.0]


def test_where_nobody_tells_of_prompts_no_tokens_came_that_one_knows_of() -> None:
    none = Missing("the gateway is away")
    looks = [observation(at_s) for at_s in (5.0, 10.0, 15.0)]
    looks[1] = replace(looks[1], traffic=replace(looks[1].traffic, lengths=none, prompts=none))
    memory = remembered(*looks)
    assert [row[0] for row in memory.rates] == [5.0, 10.0, 15.0]
    assert [row[0] for row in memory.work] == [5.0, 15.0]


def test_arrivals_are_dated_by_when_they_were_true() -> None:
    look = observation(100.0, rate_rps=Figure(50.0, age_s=15.0))

    assert remembered(look).rates == ((85.0, 5.0, 50.0),)


def test_the_same_scrape_seen_twice_counts_once() -> None:
    looks = [
        observation(t, rate_rps=Figure(50.0, age_s=age)) for t, age in ((100.0, 0.0), (105.0, 5.0))
    ]

    assert len(remembered(*looks).rates) == 1


@pytest.mark.parametrize("value", [float("nan"), -1.0, float("inf"), 1e9])
def test_poisoned_figures_move_nothing(value: float) -> None:
    before = remembered(observation(5.0))
    cells = LengthCounts(
        cells=Cells.of((1000, 0, 200, value), (10**9, 0, 200, 1.0), (0, 0, 0, 1.0))
    )
    poisoned = observation(10.0, rate_rps=Figure(value), dispersion=Figure(value))
    poisoned = replace(poisoned, traffic=replace(poisoned.traffic, lengths=cells, prompts=cells))
    after = remembered(poisoned, memory=before)

    assert after.rates == before.rates
    assert after.dispersion == before.dispersion
    assert after.work == before.work
    assert [cell[:3] for cell in after.prompts] == [cell[:3] for cell in before.prompts]
    assert [cell[:3] for cell in after.cells] == [cell[:3] for cell in before.cells]
    assert after.cells.requests <= before.cells.requests


@pytest.mark.parametrize("interval_s", [0.0, -5.0, float("nan"), float("inf"), 1e9])
def test_an_interval_that_can_not_be_leaves_the_memory_as_it_was(interval_s: float) -> None:
    before = remembered(observation(5.0))
    look = observation(10.0, rate_rps=Figure(5.0), interval_s=interval_s)

    assert remembered(look, memory=before) == before


def test_a_clock_that_is_no_number_is_not_believed() -> None:
    before = remembered(observation(5.0))

    assert remembered(observation(float("nan")), memory=before) == before


def test_a_clock_that_went_back_keeps_lengths_and_forgets_times() -> None:
    before = replace(remembered(observation(5000.0)), wishes={P: ((5000.0, 3),)})
    after = remembered(observation(5.0, rate_rps=Missing("none")), memory=before)

    assert after.started_s == 5.0
    assert after.rates == ()
    assert after.wishes == {}
    assert len(after.cells)


def test_old_lengths_fade() -> None:
    memory = remembered(
        observation(5.0, lengths=(1000, 0, 200)), observation(605.0, rate_rps=0.0, interval_s=600.0)
    )

    assert memory.cells.requests == pytest.approx(50.0)


def test_dispersion_is_smoothed_over_two_minutes() -> None:
    memory = remembered(observation(120.0, dispersion=Figure(5.0), interval_s=120.0))

    assert memory.dispersion == pytest.approx(1 + 4 * 0.632, rel=1e-3)


def test_an_hour_at_a_second_a_tick_is_small_and_loses_no_arrival_of_the_hour() -> None:
    memory = Memory()
    for second in range(1, 2 * 3600):
        lengths = (100 + 37 * second % 9000, 0, 10 + 13 * second % 900)
        memory = remember(
            observation(float(second), rate_rps=7.0, interval_s=1.0, lengths=lengths),
            memory,
            STALE_S,
        )

    assert len(to_json(memory)) < 64 * 1024
    assert memory.rates[0][0] >= memory.rates[-1][0] - 3600
    assert sum(rate[2] for rate in memory.rates) == pytest.approx(7 * 3600, rel=0.01)
    assert all(interval <= 30 for _, interval, _ in memory.rates)
    assert all(interval <= 2 for time_s, interval, _ in memory.rates if time_s > 6700)


@given(st.lists(st.tuples(st.floats(0.1, 40), st.floats(0, 30)), min_size=1, max_size=200))
@fewer(60)
def test_what_is_joined_at_each_look_is_what_a_look_at_all_would_join(
    looks: list[tuple[float, float]],
) -> None:
    memory, now_s, all_rows = Memory(), 0.0, Memory().rates
    for interval_s, drawn_s in looks:
        now_s += interval_s
        newest_s = memory.rates[-1][0] if memory.rates else 0.0
        age_s = min(drawn_s, 0.9 * (now_s - newest_s))
        look = observation(now_s, rate_rps=Figure(3.0, age_s=age_s), interval_s=interval_s)
        memory = remember(look, memory, STALE_S)
        all_rows = joined((*all_rows, (now_s - age_s, interval_s, 3.0)), now_s)
        assert memory.rates == all_rows


times = st.floats(0, 1e6).map(lambda value: round(value, 3))
memories = st.builds(
    Memory,
    started_s=st.one_of(st.none(), times),
    rates=st.lists(st.tuples(times, times, times), max_size=5).map(tuple),
    cells=st.lists(
        st.tuples(st.integers(1, 10**6), st.integers(0, 10), st.integers(1, 10**5), times),
        max_size=5,
    ).map(lambda rows: Cells.of(*rows)),
    dispersion=times,
    wishes=st.dictionaries(
        st.sampled_from([P, D]),
        st.lists(st.tuples(times, st.integers(0, 100)), max_size=4).map(tuple),
    ),
    facts=st.dictionaries(st.text(max_size=5), times, max_size=3),
)


@given(memories)
def test_json_gives_back_what_it_was_given(memory: Memory) -> None:
    assert from_json(to_json(memory)) == (memory, "")


WHOLE = json.loads(to_json(remembered(observation(5.0))))


@pytest.mark.parametrize(
    "damaged",
    [
        pytest.param("", id="empty"),
        pytest.param("{", id="cut"),
        pytest.param("[]", id="another shape"),
        pytest.param("null", id="null"),
        pytest.param(json.dumps({**WHOLE, "rates": [[1, 2]]}), id="a short row"),
        pytest.param(json.dumps({**WHOLE, "rates": [[1, 2, "3"]]}), id="text for a number"),
        pytest.param(json.dumps({**WHOLE, "dispersion": float("nan")}), id="not a number"),
        pytest.param(json.dumps({**WHOLE, "dispersion": True}), id="true for a number"),
        pytest.param(json.dumps({**WHOLE, "wishes": {"cook": []}}), id="an unknown role"),
        pytest.param(json.dumps({k: v for k, v in WHOLE.items() if k != "cells"}), id="a hole"),
        pytest.param("[" * 100_000, id="nested too deep"),
    ],
)
def test_damaged_json_is_a_fresh_memory_and_a_reason(damaged: str) -> None:
    memory, reason = from_json(damaged)

    assert memory == Memory()
    assert reason.startswith("the stored memory is damaged")


@given(st.text())
def test_no_text_raises(text: str) -> None:
    from_json(text)
