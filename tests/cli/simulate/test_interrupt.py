"""Ctrl-C ends a run with what is done, the second one at once."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import pytest
from tests.fakes.page_reader import PageReader, flaws

from tandem.cli import main
from tandem.cli.simulate import interrupt

LONG = ["--profile", "h200-llama-3.1-8b-fp8-tp1", "--prefill", "4", "--decode", "4"]
LONG += ["--rate", "40", "--duration", "1h"]


@pytest.fixture
def ctrl_c_once_it_runs() -> Iterator[None]:
    """SIGINT as soon as a run notices it; never to whoever else stands there."""
    usual = signal.getsignal(signal.SIGINT)

    def press(_number: int, _frame: FrameType | None) -> None:
        if signal.getsignal(signal.SIGINT) is not usual:
            signal.setitimer(signal.ITIMER_REAL, 0.0)
            signal.raise_signal(signal.SIGINT)

    before = signal.signal(signal.SIGALRM, press)
    signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0.0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.usefixtures("ctrl_c_once_it_runs")
def test_a_run_that_is_stopped_reports_what_is_done(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    page = tmp_path / "run.html"
    assert main.run(["simulate", *LONG, "--json", "--report", str(page)]) == main.INTERRUPTED
    answer = json.loads(capsys.readouterr().out)
    assert 0 < answer["interrupted_at_s"] < answer["duration_s"] == 3600.0
    assert 0 < answer["finished"] < answer["requests"]
    read = PageReader(page)
    assert flaws(read) == []
    assert "of 1:00:00" in read.text
    assert "requests had not come yet" in read.text


def test_the_first_is_noticed_and_the_second_raised() -> None:
    usual = signal.getsignal(signal.SIGINT)
    with interrupt.noticed() as came:
        assert not came()
        signal.raise_signal(signal.SIGINT)
        assert came()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is usual


def test_a_job_in_the_background_ignores_it_still() -> None:
    usual = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with interrupt.noticed() as came:
            signal.raise_signal(signal.SIGINT)
            assert not came()
    finally:
        signal.signal(signal.SIGINT, usual)
