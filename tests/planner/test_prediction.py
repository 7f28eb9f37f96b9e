from dataclasses import replace
from math import inf

import numpy as np
import pytest
from tests.planner.builders import ENGINE, demand, pair, spec
from tests.planner.queueing.simulated import lognormal

from tandem.api.role import Role
from tandem.planner.demand import Demand, from_requests
from tandem.planner.model import QUANTILES
from tandem.planner.prediction import predict
from tandem.simulator.run import simulate
from tandem.simulator.scenario import Scenario
from tandem.traces.model import Trace
from tandem.traces.request import TraceRequest


# Measured with benchmarks/planner/errors.py: TTFT P50 to P95 within 12 %, P99 within 10 %; TPOT within 4 %.
@pytest.mark.parametrize("cv", [0.0, 1.0], ids=["constant", "varying"])
def test_percentiles_are_those_of_the_simulated_fleet(cv: float) -> None:
    rng = np.random.default_rng(2)
    inputs, outputs = lognormal(rng, 1000, cv, 15_000), lognormal(rng, 200, cv, 15_000)
    arrivals_s = np.cumsum(rng.exponential(1 / 36.0, 15_000))
    requests = tuple(
        TraceRequest(arrival_s=float(at), input_tokens=int(i), output_tokens=int(o))
        for at, i, o in zip(arrivals_s, inputs, outputs, strict=True)
    )
    asked, pods = spec(ttft_s=0.5, tpot_s=0.02), pair(5, 3)
    scenario = Scenario(
        trace=Trace(name="poisson", requests=requests), spec=asked, replicas=pods, order="fcfs"
    )
    result = simulate(scenario)
    seen = result.latencies()
    load = Demand(rate_rps=36.0, lengths=from_requests(inputs, outputs))

    told = predict(load, asked, pods)
    for name, values, tolerance in (
        ("ttft_s", told.ttft_s, 0.15),
        ("tpot_s", told.tpot_s, 0.05),
    ):
        simulated = [getattr(seen[name], f"p{100 * q:g}") for q in QUANTILES]
        assert values == pytest.approx(simulated, rel=tolerance), name
    assert told.attainment == pytest.approx(result.attainment, abs=0.012)


def test_an_overloaded_stage_has_infinite_percentiles() -> None:
    told = predict(demand(50.0), spec(), pair(2, 30))

    assert told.ttft_s == (float("inf"),) * 4
    assert told.attainment == pytest.approx(0.0, abs=1e-9)
    assert told.utilisation["prefill"] == pytest.approx(2.5)


def test_a_role_without_replicas_serves_nobody() -> None:
    told = predict(demand(5.0), spec(), pair(0, 3))

    assert told.attainment == 0.0
    assert told.ttft_s == (float("inf"),) * 4


def test_nobody_comes_and_an_idle_fleet_is_told() -> None:
    told = predict(demand(0.0), spec(), pair(1, 1))

    assert told.ttft_s[3] == pytest.approx(0.1 + 0.001 + 0.01 + 0.0101, abs=0.002)
    assert told.tpot_s[0] == pytest.approx(0.01013, rel=0.01)
    assert told.utilisation == pytest.approx(dict.fromkeys(told.utilisation, 0), abs=1e-6)


def test_percentiles_ascend() -> None:
    told = predict(demand(36.0, input_cv=1.0, output_cv=1.0), spec(), pair(5, 3))

    assert list(told.ttft_s) == sorted(told.ttft_s)
    assert list(told.tpot_s) == sorted(told.tpot_s)


def test_single_tokens_have_no_tpot() -> None:
    assert predict(demand(5.0, output_tokens=1), spec(), pair(1, 1)).tpot_s == (0.0,) * 4


@pytest.mark.parametrize("first", list(Role), ids=str)
def test_a_link_that_is_never_through_leaves_out_what_comes_behind_it(first: Role) -> None:
    """Token 2 where prefill emits the first, else token 1; prefill pods fill up with what is not taken."""
    transfer = replace(ENGINE.transfer, bandwidth_bytes_per_s=1e8)
    engine = replace(ENGINE, transfer=transfer, first_token=first)
    told = predict(demand(10.0), spec(profile=engine), pair(4, 2))

    assert told.utilisation["link"] > 1
    assert told.attainment == 0
    assert told.ttft_s == (inf,) * 4
    assert (told.tpot_s == (inf,) * 4) is (first is Role.PREFILL)
    assert told.held_up == 1


def test_one_prompt_of_ten_thousand_moves_no_percentile() -> None:
    """However long it is: the grid of TTFT does not stretch to it."""
    inputs = np.full(10_000, 1000.0)
    longest = inputs.copy()
    longest[0] = 300_000.0

    told, other = (
        predict(
            Demand(rate_rps=5.0, lengths=from_requests(each, np.full(10_000, 100.0))),
            spec(),
            pair(8, 4),
        )
        for each in (inputs, longest)
    )
    assert other.ttft_s == pytest.approx(told.ttft_s, rel=0.06)
