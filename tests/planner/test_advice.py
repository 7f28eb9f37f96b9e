from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.examples import fewer
from tests.planner.builders import D, P, counts, demand, pair, spec

from tandem.planner import advice
from tandem.planner.model import Bottleneck
from tandem.planner.queueing.tandem import Tandem
from tandem.planner.sizing import size
from tandem.planner.spec import Budget


@fewer(15)
@given(rate_rps=st.floats(1.0, 60.0), cv=st.sampled_from([0.0, 0.8]))
def test_the_highest_rate_is_served_and_a_little_more_is_not(rate_rps: float, cv: float) -> None:
    asked = spec(ttft_s=1.5)
    found = size(demand(rate_rps, input_cv=cv, output_cv=cv), asked)
    most_rps = advice.most_rps(found, found.replicas)

    assert most_rps >= rate_rps * 0.98
    for factor, met in ((0.99, True), (1.03, False)):
        other = demand(most_rps * factor, input_cv=cv, output_cv=cv)
        attained = Tandem(other, asked).attainment(*counts(found.replicas))
        assert (attained >= 0.99) is met


def test_one_more_pod_is_worth_most_where_the_bottleneck_is() -> None:
    found = size(demand(60.0), spec())
    worth = advice.marginal(found)

    assert found.prediction.bottleneck is Bottleneck.PREFILL_COMPUTE
    assert worth[P].rate_rps > 5 * max(worth[D].rate_rps, 0.1)
    assert min(each.attainment for each in worth.values()) >= 0
    assert max(each.attainment for each in worth.values()) <= 1 - found.prediction.attainment


def test_a_fleet_too_small_gains_attainment_from_the_pod_that_lacks() -> None:
    free = size(demand(60.0), spec())
    short = size(demand(60.0), spec(high=(free.replicas[P] - 1, 64)))
    worth = advice.marginal(short)

    assert not short.feasible
    assert worth[P].attainment == pytest.approx(
        free.prediction.attainment - short.prediction.attainment, abs=0.01
    )
    assert worth[D].attainment < 0.01


def test_relief_tells_the_role_and_what_comes_next() -> None:
    found = size(demand(60.0), spec())
    relief = advice.relief(found)

    assert relief is not None
    assert (relief.bottleneck, relief.role) == (Bottleneck.PREFILL_COMPUTE, P)
    assert relief.then is not Bottleneck.PREFILL_COMPUTE
    assert advice.relief(size(demand(0.1), spec())) is None


@fewer(10)
@given(accelerators=st.integers(10, 13), rate_rps=st.floats(50.0, 62.0))
def test_the_nearest_slo_is_met_and_a_tighter_one_is_not(
    accelerators: int, rate_rps: float
) -> None:
    load = demand(rate_rps, input_cv=0.8, output_cv=0.8)
    asked = spec(ttft_s=0.5, tpot_s=0.013, budget=Budget(accelerators=accelerators))
    nearest = advice.attainable(load, asked)

    assert nearest is not None
    assert sum(counts(nearest.replicas)) <= accelerators
    assert size(load, replace(asked, slo=asked.slo.times(nearest.factor))).feasible
    assert nearest.factor == 1 or not (
        size(load, replace(asked, slo=asked.slo.times(nearest.factor / 1.03))).feasible
    )


def test_an_slo_that_is_met_is_the_nearest_itself() -> None:
    nearest = advice.attainable(demand(20.0), spec())

    assert nearest is not None
    assert nearest.factor == 1
    assert nearest.ttft_s == spec().slo.ttft_s


def test_overload_is_no_question_of_time() -> None:
    assert advice.attainable(demand(200.0), spec(high=(2, 2))) is None
    assert size(demand(200.0), spec(high=(2, 2))).replicas == pair(2, 2)
