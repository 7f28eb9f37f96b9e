"""The page of a league shows who needs what, beside the best there could be."""

from dataclasses import replace
from pathlib import Path

import pytest
from tests.fakes.league_outcome import TRACES, outcome
from tests.fakes.page_reader import PageReader, flaws

from tandem.simulator.league.outcome import Outcome
from tandem.simulator.pages import league_page

HOSTILE = "</script><script>alert('x')</script>\"&<b>"


def read(folder: Path, of: Outcome) -> PageReader:
    path = folder / "league.html"
    league_page.write(path, of)
    return PageReader(path)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> PageReader:
    return read(tmp_path_factory.mktemp("page"), outcome())


def test_it_stands_alone_and_reads_aloud(page: PageReader) -> None:
    assert flaws(page) == []


def test_the_headline_has_a_row_for_each_policy_and_baseline(page: PageReader) -> None:
    rows = page.table("What each policy needs for 99 %")
    names = ["★ tandem", "hpa, tandem order", "hpa, own order", "dynamo-sla"]
    baselines = ["static best (5 prefill + 8 decode)", "oracle (34 simulations)", "floor"]
    assert [row[0] for row in rows] == [
        cell for trace in TRACES for cell in (trace, *names, *baselines)
    ]
    assert rows[1] == [
        "★ tandem",
        "11.70",
        "11.40 to 12.00",
        "1.17 ×",
        "99.93 %",
        "97.00 %",
        "10.60",
    ]
    assert rows[4] == ["dynamo-sla", "not reached", "–", "–", "94.30 %", "80.00 %", "13.00"]
    assert rows[7][:4] == ["floor", "6.10", "–", "0.61 ×"]


def test_traces_stand_side_by_side(page: PageReader) -> None:
    rows = {row[0]: row[1:] for row in page.table("GPU-hours for 99 %")}
    assert rows["tandem"] == ["★ 1.17 ×"] * 2
    assert rows["hpa, own order"] == ["1.52 ×"] * 2
    assert rows["dynamo-sla"] == ["(94.30 %)"] * 2


def test_who_needs_as_little_shares_the_star(tmp_path: Path) -> None:
    whole = outcome()
    equal = tuple(
        replace(one, gpu_hours_at_target=11.7) if one.policy == "hpa" else one
        for one in whole.frontiers
    )
    rows = read(tmp_path, replace(whole, frontiers=equal)).table("What each policy needs")
    starred = {row[0] for row in rows if "★" in row[0]}
    assert starred == {"★ tandem", "★ hpa, own order", "★ hpa, tandem order"}


def test_each_trace_has_its_frontier_and_fleets(page: PageReader) -> None:
    assert [text.split(":")[0] for text in page.pictures] == [*TRACES, *TRACES]
    assert "11.70, 1.17 times the oracle's. Never reached it: dynamo-sla." in page.pictures[0]
    assert "the oracle used 10.00 GPU-hours" in page.pictures[2]


def test_the_worst_minutes_say_whose_and_why(page: PageReader) -> None:
    rows = page.table("Minutes with most missed requests")
    assert rows[1] == ["tandem", "0:12:00", "500", "115", "77.00 %", "prefill queue"]
    assert {row[5] for row in rows if len(row) > 1} == {"prefill queue", "decode TPOT"}


def test_settings_versions_and_seeds_are_told(page: PageReader) -> None:
    for said in (
        "TTFT 2 s, TPOT 50 ms",
        "h200-llama-3.1-8b-tp1",
        "seeds 1, 2, 3",
        "every 5 s, at figures 15 s old",
        "digest 0badcafe",
        "numpy 2.4.1",
    ):
        assert said in page.text
    assert page.table("Traces")[0][:6] == [
        "azure-conv", "azure-conv.csv.gz", "19,366", "1:00:00", "5.38", "1,155",
    ]  # fmt: skip


def test_a_league_that_was_stopped_says_so(tmp_path: Path, page: PageReader) -> None:
    stopped = read(tmp_path, outcome(complete=False))
    assert "stopped before all of its runs" in stopped.text
    assert "stopped before all of its runs" not in page.text


def test_a_league_without_a_run_has_a_page(tmp_path: Path) -> None:
    nothing = replace(
        outcome(complete=False), frontiers=(), floor=(), oracle=(), static_best=(), tracks=()
    )
    page = read(tmp_path, nothing)
    assert flaws(page) == []
    assert "No policy reached 99 % on 2 traces." in page.text


def test_hostile_names_are_text(tmp_path: Path) -> None:
    page = read(tmp_path, outcome(traces=(HOSTILE,)))
    assert flaws(page) == []
    assert "alert('x')" not in page.source.replace("\\", "")
    assert HOSTILE in page.text
