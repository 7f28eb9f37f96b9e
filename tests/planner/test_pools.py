from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.examples import fewer
from tests.planner.builders import ENGINE, D, P, counts, demand, pair, spec

from tandem.api.role import Role
from tandem.perf.library import profile
from tandem.planner import composition, pools, prediction, region
from tandem.planner.demand import Demand, from_requests
from tandem.planner.pools import filling
from tandem.planner.queueing.tandem import Tandem
from tandem.planner.sizing import Sizing, size
from tandem.planner.spec import Budget, FleetSpec, Pool, RoleSpec, Slo
from tandem.simulator import features
from tandem.simulator.run import simulate
from tandem.simulator.scenario import Scenario
from tandem.traces.model import Trace
from tandem.traces.request import TraceRequest

# Half as fast at everything, for a third of the price.
SLOW = replace(
    ENGINE,
    name="slow",
    prefill=replace(ENGINE.prefill, a_s=0.02, b_s_per_token=18e-5),
    decode=replace(
        ENGINE.decode, alpha_s=0.020, beta_s_per_sequence=12e-5, gamma_s_per_token=12e-8
    ),
    cost_per_hour=1.0,
)
FAST = replace(ENGINE, name="fast", cost_per_hour=3.0)


def pool(engine: object = FAST, most: int = 64, least: int = 0) -> Pool:
    return Pool(name=engine.name, profile=engine, min_replicas=least, max_replicas=most)  # type: ignore[attr-defined, arg-type]


def of(*each: Pool, most: int = 64, least: int = 1) -> RoleSpec:
    return RoleSpec(
        profile=each[0].profile, min_replicas=least, max_replicas=most, pools=tuple(each)
    )


def mixed(prefill: RoleSpec, decode: RoleSpec, **rest: float) -> FleetSpec:
    return replace(spec(**rest), roles={P: prefill, D: decode})  # type: ignore[arg-type]


def paid(found: Sizing) -> float:
    return region.cost(found.replicas, composition.price(found.spec))


@pytest.mark.parametrize(
    ("replicas", "expected"),
    [
        pytest.param(0, {"fast": 0, "slow": 0}, id="none"),
        pytest.param(1, {"fast": 0, "slow": 1}, id="minima first"),
        pytest.param(4, {"fast": 3, "slow": 1}, id="then the first pool"),
        pytest.param(6, {"fast": 4, "slow": 2}, id="then the next, beyond its minimum"),
        pytest.param(99, {"fast": 4, "slow": 95}, id="the last has no end"),
    ],
)
def test_a_role_is_filled_in_the_order_of_its_pools(
    replicas: int, expected: dict[str, int]
) -> None:
    assert pools.named(of(pool(FAST, 4), pool(SLOW, 8, least=1)), replicas) == expected


def test_prices_follow_the_order() -> None:
    filled = filling(of(pool(FAST, 2), pool(SLOW, 8)))

    assert filled.cost_per_hour[:5].tolist() == [0, 3, 6, 7, 8]
    assert filled.accelerators[:4].tolist() == [0, 1, 2, 3]


def test_both_budgets_count_what_each_pool_takes() -> None:
    asked = mixed(of(pool(FAST, 2), pool(SLOW)), of(pool(FAST)))
    money = region.of(replace(asked, budget=Budget(cost_per_hour=13.0)))

    assert money.allows(pair(3, 2))
    assert money.allows(pair(1, 3))
    assert not money.allows(pair(4, 2))
    assert money.nearest(pair(9, 2)) in (pair(3, 2), pair(6, 1))


def test_an_order_beyond_the_budget_is_no_answer() -> None:
    """12 an hour: two fast engines of each role, or slow ones too; never fast ones alone for more."""
    asked = mixed(of(pool(FAST), pool(SLOW)), of(pool(FAST), pool(SLOW)), ttft_s=1.5, tpot_s=0.05)
    for money in (2.0, 4.0, 6.0, 8.0, 12.0):
        found = size(demand(30.0), replace(asked, budget=Budget(cost_per_hour=money)))

        assert paid(found) <= money + 1e-9
        assert found.feasible == (found.prediction.attainment >= 0.99)


def test_pools_of_one_kind_are_as_one() -> None:
    alone = spec()
    twice = mixed(of(pool(FAST, 3), pool(replace(FAST, name="also"))), of(pool(FAST)))
    together, single = Tandem(demand(35.0), twice), Tandem(demand(35.0), alone)

    assert together.attainment(5, 3) == pytest.approx(single.attainment(5, 3), rel=1e-9)


NARROW = replace(
    FAST, transfer=replace(FAST.transfer, latency_s=0.0, bandwidth_bytes_per_s=1.5e9)
)  # 67 ms for a prompt that takes 100 ms


def test_pools_of_one_kind_share_links_and_kv_as_one() -> None:
    """Where prefill pods are kept busy by what they send, and held up by what decode does not take."""
    cramped = replace(NARROW, kv=replace(NARROW.kv, capacity_tokens=24_000))
    load = demand(9.1, output_tokens=300, input_cv=0.5)
    alone = spec(profile=cramped, ttft_s=1.0, tpot_s=0.5)
    also = replace(cramped, name="also")
    twice = mixed(
        of(pool(cramped, 1), pool(also)), of(pool(cramped, 1), pool(also)), ttft_s=1.0, tpot_s=0.5
    )
    together, single = (prediction.of(Tandem(load, each), 2, 2) for each in (twice, alone))

    assert min(single.preempted, single.held_up, single.attainment) > 0.01
    assert together.attainment == pytest.approx(single.attainment, rel=1e-9)
    assert together.utilisation == pytest.approx(single.utilisation, rel=1e-6)
    assert together.held_up == pytest.approx(single.held_up, rel=1e-6)
    assert together.preempted == pytest.approx(single.preempted, rel=1e-6)


def test_a_kind_whose_link_is_overloaded_is_told() -> None:
    """Each of two decode replicas takes half of the requests, whatever its link; one needs 133 %."""
    other = replace(NARROW, name="narrow")
    asked = mixed(of(pool(FAST)), of(pool(FAST, 1), pool(other)), ttft_s=2.0)
    busy, less = (prediction.of(Tandem(demand(rate), asked), 9, 2) for rate in (40.0, 10.0))

    assert busy.utilisation["link"] == pytest.approx(20 / 15, rel=0.01)
    assert busy.ttft_s == (np.inf,) * 4
    assert less.ttft_s[0] < 1.0


def test_a_pool_that_can_not_meet_the_slo_is_left_at_its_minimum() -> None:
    """A slow engine's step takes 20 ms, alone."""
    asked = mixed(of(pool(SLOW), pool(FAST)), of(pool(SLOW), pool(FAST)), tpot_s=0.018)
    found = size(demand(40.0), asked)
    forced = size(
        demand(40.0), replace(asked, roles={**asked.roles, D: of(pool(SLOW, 9, least=1), pool())})
    )

    assert found.feasible
    assert found.pools[D]["slow"] == 0
    assert found.pools[P]["slow"] > 0
    assert forced.pools[D]["slow"] == 1


@fewer(30)
@given(
    rate_rps=st.floats(0.5, 80.0),
    cv=st.sampled_from([0.0, 0.8]),
    price=st.floats(0.2, 3.0),
    most=st.tuples(st.integers(0, 12), st.integers(0, 12)),
    tpot_s=st.floats(0.015, 0.06),
)
def test_a_mixture_is_never_dearer_than_the_best_single_pool(
    rate_rps: float, cv: float, price: float, most: tuple[int, int], tpot_s: float
) -> None:
    slow = replace(SLOW, cost_per_hour=price)
    load = demand(rate_rps, input_cv=cv, output_cv=cv)
    both = {role: of(pool(FAST), pool(slow, limit)) for role, limit in zip(Role, most, strict=True)}
    asked = mixed(both[P], both[D], ttft_s=1.5, tpot_s=tpot_s)
    found = size(load, asked)
    single = [
        size(load, replace(asked, roles={P: of(p), D: of(d)}))
        for p in (pool(FAST), pool(slow, most[0]))
        for d in (pool(FAST), pool(slow, most[1]))
        if p.max_replicas and d.max_replicas
    ]

    assert all(found.pools[role]["slow"] <= limit for role, limit in zip(Role, most, strict=True))
    meeting = [paid(each) for each in single if each.feasible]
    assert not meeting or found.feasible
    assert not meeting or paid(found) <= min(meeting) + 1e-6


@fewer(30)
@given(
    rate_rps=st.floats(0.0, 40.0),
    fast=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    slow=st.tuples(st.integers(0, 5), st.integers(0, 5)),
)
def test_one_more_fast_replica_never_attains_less(
    rate_rps: float, fast: tuple[int, int], slow: tuple[int, int]
) -> None:
    def attainment(prefills: int, decodes: int) -> float:
        roles = of(pool(FAST, prefills), pool(SLOW)), of(pool(FAST, decodes), pool(SLOW))
        load = demand(rate_rps, input_cv=0.5, output_cv=0.5)
        return Tandem(load, mixed(*roles, ttft_s=0.5)).attainment(
            prefills + slow[0], decodes + slow[1]
        )

    now = attainment(*fast)

    assert 0 <= now <= 1
    assert attainment(fast[0] + 1, fast[1]) >= now - 1e-3
    assert attainment(fast[0], fast[1] + 1) >= now - 1e-3


H200, A100 = (profile(f"{name}-llama-3.1-8b-tp1") for name in ("h200", "a100"))


@pytest.mark.parametrize(
    ("rate_rps", "prefills", "decodes", "targets"),
    [
        pytest.param(40.0, (2, 2), (1, 1), (0.3, 0.012), id="half busy"),
        pytest.param(62.0, (2, 2), (1, 2), (0.4, 0.016), id="busy"),
        pytest.param(60.0, (3, 1), (1, 3), (0.3, 0.014), id="mostly one kind"),
    ],
)
def test_two_accelerators_in_a_role_do_what_the_simulator_says(
    rate_rps: float,
    prefills: tuple[int, int],
    decodes: tuple[int, int],
    targets: tuple[float, float],
) -> None:
    """(H200, A100) pods of each role; the queue does not prefer quick pods, the simulator's does a little."""
    rng = np.random.default_rng(1)
    arrivals_s = np.cumsum(rng.exponential(1 / rate_rps, 20_000))
    inputs, outputs = (
        np.clip(np.exp(rng.normal(np.log(mean), 0.7, 20_000)), 2, 16_000).astype(int)
        for mean in (1100, 150)
    )
    rows = zip(arrivals_s.tolist(), inputs.tolist(), outputs.tolist(), strict=True)
    trace = Trace(
        name="two kinds",
        requests=tuple(
            TraceRequest(arrival_s=at_s, input_tokens=i, output_tokens=o) for at_s, i, o in rows
        ),
    )
    fast = {P: prefills[0], D: decodes[0]}
    asked = FleetSpec(
        slo=Slo(ttft_s=targets[0], tpot_s=targets[1]),
        roles={role: of(pool(H200, fast[role]), pool(A100)) for role in Role},
        policy="static",
    )
    alone = replace(asked, roles={role: RoleSpec(profile=A100) for role in Role})
    replicas = pair(sum(prefills), sum(decodes))
    result = simulate(
        Scenario(
            trace=trace,
            spec=alone,
            replicas=replicas,
            order="fcfs",
            pools={role: (features.Pool(profile=H200, most=fast[role]),) for role in Role},
        )
    )
    tandem = Tandem(Demand(rate_rps=rate_rps, lengths=from_requests(inputs, outputs)), asked)
    told, seen = prediction.of(tandem, *counts(replicas)), result.latencies()
    ttft_s, tpot_s = (seen[name] for name in ("ttft_s", "tpot_s"))

    assert told.attainment == pytest.approx(result.attainment, abs=0.02)
    assert told.attainment <= result.attainment + 0.005
    assert told.tpot_s[0] == pytest.approx(tpot_s.p50, rel=0.03)
    assert told.tpot_s[3] == pytest.approx(tpot_s.p99, rel=0.05)
    assert told.ttft_s[3] == pytest.approx(ttft_s.p99, rel=0.35)
    assert told.ttft_s[3] >= (ttft_s.p99 or 0.0) * 0.98
