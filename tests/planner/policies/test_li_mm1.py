"""The case of the paper: 5 M tokens a minute, 6144 in and 512 out, TTFT 2 s: 3.07 and 3.77, so 3P4D."""

import pytest
from tests.planner.builders import D, P, counts, observation, spec

from tandem.planner.cells import Cells
from tandem.planner.demand import Demand, from_means
from tandem.planner.model import Memory
from tandem.planner.policies import li_mm1

RATE_RPS = 5e6 / 60 / (6144 + 512)
CASE = spec(
    policy="li-mm1",
    ttft_s=2.0,
    tpot_s=0.02,
    parameters={"tp_max": 28_300, "tp_decode": 1_700, "overhead_s": 0.1},
)


def test_loads_of_the_papers_case() -> None:
    loads = li_mm1.loads_of(Demand(rate_rps=RATE_RPS, lengths=from_means(6144, 512)), CASE)

    assert loads[P] == pytest.approx(3.07, abs=0.005)
    assert loads[D] == pytest.approx(3.77, abs=0.005)


def test_rounded_to_the_nearest_as_in_the_paper() -> None:
    memory = Memory(rates=((120.0, 120.0, 120 * RATE_RPS),), cells=Cells.of((6144, 0, 512, 1.0)))

    assert counts(li_mm1.decide(observation(120.0), memory, CASE).wishes) == (3, 4)


def test_a_ttft_that_no_replica_meets_asks_for_many_and_does_not_fail() -> None:
    asked = spec(ttft_s=0.01, parameters={"tp_max": 28_300})
    loads = li_mm1.loads_of(Demand(rate_rps=RATE_RPS, lengths=from_means(6144, 512)), asked)

    assert loads[P] == pytest.approx(20 * RATE_RPS * 6144 / 28_300)
