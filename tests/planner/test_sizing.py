from dataclasses import replace
from itertools import product

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.examples import fewer
from tests.planner.builders import ENGINE, D, P, costing, counts, demand, pair, spec

from tandem.planner.demand import Demand, mix
from tandem.planner.queueing.tandem import Tandem
from tandem.planner.sizing import Sizing, size
from tandem.planner.spec import Budget, FleetSpec, RatioBounds, RequestClass, Slo

rates = st.floats(0.0, 120.0)
variations = st.sampled_from([0.0, 0.5, 1.0, 1.5])


def cheapest(load_rps: float, asked: FleetSpec, cv: float) -> tuple[float, list[tuple[int, int]]]:
    """By trying every pair up to 25."""
    tandem = Tandem(demand(load_rps, input_cv=cv, output_cv=cv), asked)
    goal = asked.slo.attainment
    meeting = [
        (p, d) for p, d in product(range(1, 26), repeat=2) if tandem.attainment(p, d) >= goal
    ]
    least = min(sum(each) for each in meeting)
    return least, [each for each in meeting if sum(each) == least]


@fewer(25)
@given(st.floats(0.1, 80.0), st.sampled_from([0.0, 0.5]), st.floats(0.013, 0.05))
def test_no_cheaper_pair_meets_the_slo_and_no_equal_one_better(
    rate_rps: float, cv: float, tpot_s: float
) -> None:
    asked = spec(ttft_s=0.8, tpot_s=tpot_s)
    found = size(demand(rate_rps, input_cv=cv, output_cv=cv), asked)
    least, pairs = cheapest(rate_rps, asked, cv)
    tandem = Tandem(demand(rate_rps, input_cv=cv, output_cv=cv), asked)

    assert sum(counts(found.replicas)) == least
    assert counts(found.replicas) in pairs
    assert found.prediction.attainment == pytest.approx(
        max(tandem.attainment(*each) for each in pairs)
    )
    assert found.feasible


@given(rates, st.floats(0.0, 40.0), variations, st.floats(0.013, 0.05))
def test_more_load_never_costs_less(
    rate_rps: float, more_rps: float, cv: float, tpot_s: float
) -> None:
    """In all. One role may give a replica when the other gains: of equals the better attaining is taken."""
    asked = spec(ttft_s=1.5, tpot_s=tpot_s, high=(500, 500))
    now, busier = (
        counts(size(demand(rate, input_cv=cv, output_cv=cv), asked).replicas)
        for rate in (rate_rps, rate_rps + more_rps)
    )

    assert sum(busier) >= sum(now)
    assert min(b - n for b, n in zip(busier, now, strict=True)) >= -1


@given(rates, st.floats(200, 4000), st.floats(1, 2000), variations)
def test_longer_requests_never_cost_less(
    rate_rps: float, input_tokens: float, output_tokens: float, cv: float
) -> None:
    asked = spec(ttft_s=6.0, tpot_s=0.04, high=(2000, 2000))
    small, large = (
        sum(
            counts(
                size(
                    demand(
                        rate_rps,
                        input_tokens * factor,
                        output_tokens * factor,
                        input_cv=cv,
                        output_cv=cv,
                    ),
                    asked,
                    spare=0.5,
                ).replicas
            )
        )
        for factor in (1.0, 1.5)
    )

    assert large >= small


@given(
    rate_rps=rates,
    low=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    more=st.tuples(st.integers(0, 12), st.integers(0, 12)),
    ratio=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    extra=st.integers(0, 12),
)
def test_an_answer_lies_within_bounds_ratio_and_budget(
    rate_rps: float,
    low: tuple[int, int],
    more: tuple[int, int],
    ratio: tuple[int, int],
    extra: int,
) -> None:
    high = (low[0] + more[0], low[1] + more[1])
    bounds = RatioBounds(lowest=(ratio[0], 2 * ratio[1]), highest=(2 * ratio[0], ratio[1]))
    budget = sum(low) + extra
    pairs = [
        (p, d)
        for p, d in product(range(low[0], high[0] + 1), range(low[1], high[1] + 1))
        if bounds.allow(p, d) and p + d <= budget
    ]
    asked = spec(low=low, high=high, ratio=bounds, budget=Budget(accelerators=budget))
    found = counts(size(demand(rate_rps), asked).replicas)

    assert not pairs or found in pairs


def test_the_budget_decides_between_pairs_by_what_they_attain() -> None:
    free = size(demand(60.0), spec())
    tight = size(demand(60.0), spec(budget=Budget(accelerators=sum(counts(free.replicas)) - 1)))

    assert free.feasible
    assert not tight.feasible
    assert sum(counts(tight.replicas)) == sum(counts(free.replicas)) - 1
    assert tight.ideal == free.replicas


def test_a_ratio_costs_what_it_takes() -> None:
    free = size(demand(60.0), spec())
    bound = size(demand(60.0), spec(ratio=RatioBounds(highest=(1, 1))))

    assert counts(free.replicas) == (7, 3)
    assert counts(bound.replicas) == (7, 7)
    assert bound.feasible
    assert bound.ideal == free.replicas


def test_dear_decode_is_spared_where_prefill_can_stand_in() -> None:
    """5 + 4 and 6 + 3 both do; the price decides."""
    asked = spec(ttft_s=0.3, tpot_s=0.0135)
    roles = asked.roles

    def priced(prefill: float, decode: float) -> Sizing:
        changed = {
            role: replace(roles[role], profile=costing(ENGINE, price))
            for role, price in ((P, prefill), (D, decode))
        }
        return size(demand(20.0, input_cv=0.5, output_cv=0.5), replace(asked, roles=changed))

    assert counts(priced(9, 1).replicas) == (5, 4)
    assert counts(priced(1, 9).replicas) == (6, 3)


def test_the_runner_up_says_why_it_lost() -> None:
    found = size(demand(60.0), spec())

    assert found.runner_up is not None
    assert sum(counts(found.runner_up.replicas)) >= sum(counts(found.replicas)) - 1
    assert found.runner_up.reason.startswith(("attains", "costs"))


def test_nobody_needs_more_than_one_of_each() -> None:
    assert size(demand(0.0), spec()).replicas == pair(1, 1)


@pytest.mark.parametrize(
    ("ttft_s", "tpot_s"),
    [pytest.param(0.05, 0.03, id="TTFT"), pytest.param(1.0, 0.009, id="TPOT")],
)
def test_what_idle_engines_can_not_do_is_said_and_sized_for_nearby(
    ttft_s: float, tpot_s: float
) -> None:
    found = size(demand(20.0), spec(ttft_s=ttft_s, tpot_s=tpot_s))

    assert not found.feasible
    assert found.infeasible is not None
    assert found.infeasible.attainment == pytest.approx(0.0, abs=1e-6)
    assert found.infeasible.ttft_s == pytest.approx(0.121, abs=0.001)
    assert found.infeasible.tpot_s == pytest.approx(0.0101, abs=0.0001)
    assert 2 < sum(counts(found.replicas)) < 12


def test_prompts_that_no_fleet_serves_in_time_are_not_sized_for() -> None:
    """2.4 % of the prompts alone take longer than the target: the rest get what the budget leaves."""
    found = size(demand(20.0, input_cv=1.0), spec(ttft_s=0.5))

    assert found.infeasible is not None
    assert 0.9 < found.infeasible.attainment < 0.99
    assert found.prediction.attainment > found.infeasible.attainment - 0.01
    assert sum(counts(found.replicas)) < 12


@given(
    st.floats(0.0, 1e5),
    st.floats(1, 1e6),
    st.floats(1, 1e5),
    st.floats(0, 5),
    st.floats(0, 16),
    st.floats(1e-3, 100),
)
@example(0.0, 1.0, 1.0, 0.001, 0.0, 1.0)  # weights that add up to a rounding more than 1
def test_no_demand_raises(  # noqa: PLR0917 - hypothesis
    rate_rps: float,
    input_tokens: float,
    output_tokens: float,
    cv: float,
    ca2: float,
    ttft_s: float,
) -> None:
    load = demand(rate_rps, input_tokens, output_tokens, input_cv=cv, output_cv=cv, ca2=ca2)
    found = size(load, spec(ttft_s=ttft_s))

    assert all(1 <= count <= 64 for count in counts(found.replicas))
    assert 0 <= found.prediction.attainment <= 1


def test_a_domain_s_link_that_is_too_slow_leaves_the_rest_sized_as_if_it_were_not() -> None:
    slow = replace(ENGINE, transfer=replace(ENGINE.transfer, domain_bytes_per_s=1e8))
    found, free = (size(demand(60.0), spec(profile=each)) for each in (slow, ENGINE))

    assert not found.feasible
    assert found.infeasible is not None
    assert found.infeasible.attainment == 0.0
    assert found.replicas == free.replicas


@pytest.mark.parametrize(
    "classes", [(), (RequestClass(name="chat", share=0.5, slo=Slo(ttft_s=1.0, tpot_s=0.05)),)]
)
def test_requests_of_which_no_engine_holds_any_are_refused_with_what_it_takes(
    classes: tuple[RequestClass, ...],
) -> None:
    small = replace(ENGINE, kv=replace(ENGINE.kv, capacity_tokens=100))
    huge = Demand(rate_rps=10.0, lengths=mix([500, 900], [0, 0], [50, 70], [0.5, 0.5]))
    sizing = size(huge, replace(spec(profile=small), classes=classes))

    assert not sizing.feasible
    assert sizing.infeasible is not None
    assert sizing.infeasible.attainment == 0.0
