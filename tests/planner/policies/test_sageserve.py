"""The gates of SageServe's arbiter: 0.5 upward, 0.25 downward, 0.9 whatever the forecast says."""

from dataclasses import replace

import pytest
from tests.planner.builders import D, P, observation, pair, spec

from tandem.planner.cells import Cells
from tandem.planner.model import Memory
from tandem.planner.observation import Figure, Missing
from tandem.planner.policies import sageserve
from tandem.planner.policies.sageserve import Course, stepped

HOUR = tuple((30.0 * i, 30.0, 1800.0) for i in range(1, 120))  # 60 requests a second
MEMORY = Memory(rates=HOUR, cells=Cells.of((1000, 0, 200, 500.0)))
NOW_S = 3570.0


@pytest.mark.parametrize(
    ("change", "use", "step", "left"),
    [
        pytest.param(2.0, 0.51, 1, 1.0, id="planned and needed"),
        pytest.param(2.0, 0.50, 0, 2.0, id="planned, not needed yet"),
        pytest.param(-2.0, 0.24, -1, -1.0, id="planned less, and idle"),
        pytest.param(-2.0, 0.25, 0, -2.0, id="planned less, not idle"),
        pytest.param(0.0, 0.91, 1, -1.0, id="an emergency, to be given back"),
        pytest.param(0.0, 0.90, 0, 0.0, id="none"),
        pytest.param(-1.0, 0.95, 0, -1.0, id="not while fewer are planned: what fails"),
    ],
)
def test_gates(change: float, use: float, step: int, left: float) -> None:
    found, after = stepped(Course(change=change), use, now_s=100.0, lead_s=155.0)

    assert (found, after.change) == (step, left)


def test_one_at_a_time_and_none_while_one_starts() -> None:
    """155 s of spin-up in its simulator: two of the three replicas come within five minutes."""
    course, steps = Course(change=3.0), []
    for look in range(60):
        step, course = stepped(course, 0.8, now_s=5.0 * look, lead_s=155.0)
        steps.append(step)

    assert sum(steps) == 2
    assert stepped(course, Missing("no scrape"), now_s=1e6, lead_s=155.0)[0] == 0


def test_the_hourly_forecast_sets_the_course() -> None:
    """60 a second fill 5.5 prefill pods; two are there."""
    seen = observation(
        NOW_S, pods=pair(2, 9), utilisation={P: Figure(0.8)}, running={D: Figure(1.0)}
    )
    first = sageserve.decide(seen, MEMORY, spec())
    kept = replace(MEMORY, facts=first.facts, rates=((NOW_S + 60, 60.0, 1e5),))
    again = sageserve.decide(replace(seen, now_s=NOW_S + 60), kept, spec())

    assert first.wishes[P] == 3
    assert first.facts["course-prefill.change"] == 3
    assert first.wishes[D] == 8
    assert again.facts["planned_s"] == NOW_S, "the next hour's, whatever comes meanwhile"
