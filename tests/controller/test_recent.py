import pytest
from tests.controller.builders import FAILED, tick

from tandem.controller.recent import Recent, interval_attainment
from tandem.planner.observation import Figure, Missing, Reading, Traffic


def look(now_s: float, finished: float, met: float) -> Recent:
    return Recent().after(tick(now_s=now_s, finished=Figure(finished), met_both=Figure(met)))


def test_looks_of_five_minutes_count_together_and_older_ones_are_forgotten() -> None:
    recent = look(0.0, 10.0, 0.0).after(
        tick(now_s=299.0, finished=Figure(10.0), met_both=Figure(9.0))
    )
    assert recent.attainment == 0.45

    later = recent.after(tick(now_s=300.0, finished=Figure(0.0), met_both=Figure(0.0)))
    assert later.attainment == 0.9


def test_looks_close_together_share_a_row_so_that_few_are_kept() -> None:
    recent = Recent()
    for n in range(3000):
        recent = recent.after(tick(now_s=n / 10, finished=Figure(1.0), met_both=Figure(1.0)))

    assert len(recent.rows) == 60
    assert recent.finished == 3000.0


@pytest.mark.parametrize(
    ("finished", "met"),
    [
        pytest.param(Missing("no gateway"), Figure(1.0), id="missing"),
        pytest.param(Figure(1.0), Missing("no gateway"), id="half of it missing"),
        pytest.param(Figure(1.0), Figure(2.0), id="more met than ended"),
        pytest.param(Figure(float("nan")), Figure(0.0), id="not a number"),
        pytest.param(Figure(float("inf")), Figure(0.0), id="infinite"),
        pytest.param(Figure(-1.0), Figure(-1.0), id="negative"),
        pytest.param(Figure(0.0), Figure(0.0), id="nothing ended"),
    ],
)
def test_what_cannot_be_believed_adds_nothing(finished: Reading, met: Reading) -> None:
    before = look(1000.0, 4.0, 3.0)
    after = before.after(tick(now_s=1005.0, finished=finished, met_both=met))

    assert after == before
    assert interval_attainment(Traffic(finished=finished, met_both=met)) is None


def test_a_tick_that_failed_adds_nothing() -> None:
    assert look(1000.0, 4.0, 3.0).after(FAILED).attainment == 0.75


def test_a_clock_that_went_back_starts_anew() -> None:
    again = look(1000.0, 4.0, 0.0).after(
        tick(now_s=10.0, finished=Figure(2.0), met_both=Figure(2.0))
    )

    assert again.attainment == 1.0
