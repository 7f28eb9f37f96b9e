"""The page of a run shows the run's figures, stands alone, and takes hostile names for text."""

from dataclasses import replace
from pathlib import Path

import pytest
from tests.fakes.page_reader import PageReader, flaws
from tests.fakes.simulated import ROUND, requests, scenario, scripted

from tandem.api.role import Role
from tandem.simulator.features import ClusterFeatures, Failure, Handover, Pool
from tandem.simulator.flight import Outcome
from tandem.simulator.pages import run_page
from tandem.simulator.result import Result
from tandem.simulator.run import simulate
from tandem.traces.model import Trace

HOSTILE = "</script><script>alert('x')</script>\"&<b>"
BURST = tuple((40_000 + 5 * k, 400, 200) for k in range(60))
LATE = ((90_000, 100, 5), (130_000, 100, 1))


def read(folder: Path, result: Result) -> PageReader:
    path = folder / "run.html"
    run_page.write(path, result)
    return PageReader(path)


def moved(trace: Trace) -> Result:
    """A fleet that grows at 50 s and shrinks at 100 s."""
    script = [(50.0, Role.DECODE, 3), (100.0, Role.DECODE, 2)]
    return simulate(scenario(trace, planner=scripted(script), lead_time_s=20.0))


@pytest.fixture(scope="module")
def result() -> Result:
    """A burst that one prefill pod can't take in time, then two calm requests."""
    return moved(requests((0, 100, 5), *BURST, *LATE))


@pytest.fixture(scope="module")
def page(result: Result, tmp_path_factory: pytest.TempPathFactory) -> PageReader:
    return read(tmp_path_factory.mktemp("page"), result)


def test_it_stands_alone_and_reads_aloud(page: PageReader) -> None:
    assert flaws(page) == []


def test_every_figure_of_the_summary_is_there(page: PageReader, result: Result) -> None:
    assert 0 < result.met < result.arrivals
    late = result.arrivals - result.met
    for said in (
        f"The target was missed: {result.attainment:.2%}"[:-2],
        f"GPU-hours {result.gpu_hours:.2f} cost {result.cost:.2f}",
        f"Goodput {result.goodput_rps:.2f} req/s",
        f"Requests {result.arrivals} {result.count(Outcome.FINISHED)} finished",
        f"Decode replicas {result.replicas[Role.DECODE].mean:.2f}",
        f"{late} of {result.arrivals} requests missed: prefill queue",
        "TTFT 2 s, TPOT 50 ms, both for 99 %",
        "round-numbers, ready after 20 s",
        "seed 1",
    ):
        assert said in page.text


def test_settings_tell_what_is_on_beyond_the_plain_path(page: PageReader, tmp_path: Path) -> None:
    assert "features" not in page.text
    asked = scenario(
        requests((0, 100, 5)),
        handover=Handover(push_layers=4),
        cluster=ClusterFeatures(start_spread=0.2, failures=(Failure(at_s=60.0),)),
        pools={Role.DECODE: (Pool(profile=ROUND, most=2),)},
        priorities={"chat": 1},
    )
    text = read(tmp_path, simulate(asked)).text
    for said in (
        "push_layers = 4",
        "start_spread = 0.2",
        "at_s=60.0",
        "up to 2 of round",
        "chat 1",
    ):
        assert said in text


def test_percentiles_stand_beside_their_targets(page: PageReader, result: Result) -> None:
    rows = {row[0]: row[1:] for row in page.table("Latency of finished requests")}
    p99 = result.latencies()["ttft_s"].p99
    assert p99 is not None
    assert rows["TTFT"][-2:] == [f"{p99:.3g} s", "2 s"]
    assert rows["TPOT"][-1] == "50 ms"
    assert set(rows) == {"TTFT", "TPOT", "ITL", "E2E", "queue", "transfer"}


def test_the_worst_minute_comes_first_with_its_reason(page: PageReader, result: Result) -> None:
    """Nobody of the burst's 60 is in time, everybody else is."""
    assert result.arrivals - result.met == 60
    assert page.table("The worst minutes") == [["0:00:00", "61", "60", "1.63 %", "prefill queue"]]


def test_decisions_have_their_time_and_reason(page: PageReader) -> None:
    assert page.table("Each change of a target") == [
        ["0:00:50", "decode", "1 → 3", "the script says so"],
        ["0:01:40", "decode", "3 → 2", "the script says so"],
    ]
    assert page.source.count("the script says so") >= 4, "in the chart's marks too"


def test_each_chart_has_words(page: PageReader) -> None:
    titles = [text.split(":")[0] for text in page.pictures]
    assert titles == [
        "Attainment over time",
        "Why requests missed",
        "Arrivals",
        "Prefill and decode replicas",
        "Where TTFT goes",
        "TPOT over time",
        "TTFT against its target",
        "TPOT against its target",
    ]
    assert "1 prefill replicas throughout and 1 to 3 decode replicas" in page.pictures[3]


def test_hostile_names_are_text(tmp_path: Path) -> None:
    trace = replace(requests((0, 100, 5), (70_000, 100, 5)), name=HOSTILE)
    page = read(tmp_path, moved(trace))
    assert flaws(page) == []
    assert "alert('x')" not in page.source.replace("\\", "")
    assert f"static on {HOSTILE}" in page.text


@pytest.mark.parametrize(
    "trace",
    [
        pytest.param(requests((0, 100, 1)), id="one request, one token, one instant"),
        pytest.param(requests((0, 100, 5), (0, 200_000, 5)), id="a refused one"),
        pytest.param(requests((0, 100, 50), (0, 100, 90_000)), id="one that never ends"),
    ],
)
def test_small_runs_have_a_page_too(tmp_path: Path, trace: Trace) -> None:
    page = read(tmp_path, simulate(scenario(trace, drain_s=1.0)))
    assert flaws(page) == []
    assert "The fleet stayed as it was." in page.text


def test_a_run_of_nothing_but_misses_has_a_page(tmp_path: Path) -> None:
    """Cut off before anybody had a token."""
    page = read(tmp_path, simulate(scenario(requests((0, 5_000, 50)), drain_s=0.5)))
    assert flaws(page) == []
    assert "1 of 1 requests missed: unfinished 1." in page.text
    assert "No request got a first token." in page.text


def test_a_folder_that_is_not_there_is_an_os_error(result: Result, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="absent"):
        run_page.write(tmp_path / "absent" / "run.html", result)
