"""Placement against every split there is, each judged by a bisection of its own."""

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.examples import fewer
from tests.planner.builders import ENGINE, D, P, counts, demand, pair, spec

from tandem.planner import advice, composition, placement, region
from tandem.planner.demand import Demand
from tandem.planner.queueing.tandem import Tandem
from tandem.planner.sizing import Sizing, size
from tandem.planner.spec import Budget, Domain, FleetSpec, RatioBounds
from tandem.simulator.run import simulate
from tandem.simulator.scenario import Scenario
from tandem.traces.model import Trace
from tandem.traces.request import TraceRequest

PRECISE = 1.002  # of rates
Split = tuple[tuple[int, int], ...]


def domains(*accelerators: int) -> tuple[Domain, ...]:
    return tuple(Domain(name=chr(97 + i), accelerators=a) for i, a in enumerate(accelerators))


def engines(prefill: int, decode: int, **rest: object) -> FleetSpec:
    """A fleet whose replicas take so many accelerators."""
    asked = spec(**rest)  # type: ignore[arg-type]
    roles = {
        role: replace(asked.roles[role], profile=replace(ENGINE, accelerators=count))
        for role, count in ((P, prefill), (D, decode))
    }
    return replace(asked, roles=roles)


def split(found: Sizing) -> dict[str, tuple[int, int]]:
    assert found.placement is not None
    return {each.domain.name: each.counts for each in found.placement.places}


def splits(asked: FleetSpec, most: int) -> Iterator[Split]:
    """All there are; of domains alike only those in falling order."""
    each = [asked.roles[role].profile.accelerators for role in (P, D)]
    sizes = sorted((domain.accelerators for domain in asked.domains), reverse=True)
    fitting = [
        [(p, d) for p, d in product(range(most + 1), repeat=2) if p * each[0] + d * each[1] <= size]
        for size in sizes
    ]
    for parts in product(*fitting):
        if all(sizes[i] != sizes[i + 1] or parts[i] >= parts[i + 1] for i in range(len(parts) - 1)):
            yield parts


def cheapest(load: Demand, asked: FleetSpec, most: int) -> float:
    """The price of the cheapest allowed split whose domains serve the load within the SLO; endless if none."""

    @cache
    def serves_rps(prefills: int, decodes: int) -> float:
        """The highest rate that such a domain serves, by halves of the interval."""
        low, high = 0.0, load.rate_rps * 1.02
        while high - low > 1e-4 * load.rate_rps:
            middle = (low + high) / 2
            tandem = Tandem(replace(load, rate_rps=middle), asked)
            is_met = tandem.attainment(prefills, decodes) >= asked.slo.attainment
            low, high = (middle, high) if is_met else (low, middle)
        return low

    allowed, price = region.of(replace(asked, domains=())), composition.price(asked)
    prices = [float("inf")]
    for parts in splits(asked, most):
        whole = pair(sum(p for p, _ in parts), sum(d for _, d in parts))
        cost = region.cost(whole, price)
        if cost >= min(prices) or not allowed.allows(whole):
            continue
        if sum(serves_rps(*part) for part in parts if min(part) > 0) >= load.rate_rps:
            prices.append(cost)
    return min(prices)


def paid(found: Sizing) -> float:
    return region.cost(found.replicas, composition.price(found.spec)) if found.feasible else 1e9


sizes = st.lists(st.integers(2, 6), min_size=1, max_size=3)


@fewer(40)
@given(
    sizes,
    st.sampled_from([(1, 1), (2, 1), (1, 2), (2, 2), (3, 1)]),
    st.floats(0.1, 1.1),
    st.floats(0.013, 0.05),
    st.tuples(st.integers(1, 5), st.integers(1, 5)),
    st.sampled_from([RatioBounds(), RatioBounds(highest=(1, 1)), RatioBounds(lowest=(2, 1))]),
    st.booleans(),
)
def test_no_split_is_cheaper(  # noqa: PLR0917 - hypothesis
    accelerators: list[int],
    each: tuple[int, int],
    use: float,
    tpot_s: float,
    price: tuple[int, int],
    ratio: RatioBounds,
    is_priced: bool,  # noqa: FBT001
) -> None:
    asked = engines(
        *each, ttft_s=0.8, tpot_s=tpot_s, high=(12, 6), ratio=ratio, domains=domains(*accelerators)
    )
    rate_rps = use * 10 * sum(accelerators) / (each[0] + 0.5 * each[1])  # a prefill replica does 10
    if is_priced:
        roles = {
            role: replace(row, profile=replace(row.profile, cost_per_hour=float(cost)))
            for (role, row), cost in zip(asked.roles.items(), price, strict=True)
        }
        asked = replace(asked, roles=roles)
    found = size(demand(rate_rps), asked)

    def least(load_rps: float) -> float:
        return min(cheapest(demand(load_rps), asked, 6), 1e9)

    assert least(rate_rps) - 1e-6 <= paid(found) <= least(rate_rps * PRECISE) + 1e-6


def test_pods_that_only_a_ratio_asks_for_leave_the_others_room() -> None:
    asked = engines(
        3, 1, ttft_s=0.8, high=(12, 6), ratio=RatioBounds(lowest=(2, 1)), domains=domains(4, 4, 6)
    )
    found = size(demand(10.0), asked)

    assert found.feasible
    assert split(found) == {"c": (2, 0), "a": (1, 1), "b": (1, 1)}


loads = st.tuples(sizes, st.sampled_from([(1, 1), (2, 1), (1, 2), (4, 4)]), st.floats(0.0, 60.0))


@fewer(30)
@given(loads, st.randoms(use_true_random=False))
def test_which_domain_is_which_means_nothing(
    load: tuple[list[int], tuple[int, int], float],
    random: "object",
) -> None:
    accelerators, each, rate_rps = load
    other = [*accelerators]
    random.shuffle(other)  # type: ignore[attr-defined]
    found, mixed = (
        size(demand(rate_rps), engines(*each, domains=domains(*some)))
        for some in (accelerators, other)
    )

    assert mixed.replicas == found.replicas
    assert mixed.feasible == found.feasible
    assert sorted(split(mixed).values()) == sorted(split(found).values())


@fewer(30)
@given(loads, st.integers(0, 2), st.integers(1, 6))
def test_more_capacity_never_costs_more(
    load: tuple[list[int], tuple[int, int], float], which: int, more: int
) -> None:
    accelerators, each, rate_rps = load
    larger = [*accelerators]
    if which < len(larger):
        larger[which] += more
    else:
        larger.append(more)
    found, wider = (
        size(demand(rate_rps), engines(*each, domains=domains(*some)))
        for some in (accelerators, larger)
    )

    assert paid(wider) <= paid(found) + 1e-6


@fewer(100)
@given(loads, st.floats(0.05, 100.0), st.sampled_from([0.0, 1.0, 8.0]))
def test_no_fleet_with_domains_raises_and_all_pods_lie_where_they_fit(
    load: tuple[list[int], tuple[int, int], float], ttft_s: float, ca2: float
) -> None:
    accelerators, each, rate_rps = load
    asked = engines(*each, ttft_s=ttft_s, low=(0, 0), domains=domains(*accelerators))
    found = size(demand(rate_rps, ca2=ca2, input_cv=1.0), asked)
    assert found.placement is not None
    places = found.placement.places

    assert 0 <= found.prediction.attainment <= 1
    assert not found.feasible or found.prediction.attainment >= asked.slo.attainment
    for place in places:
        prefills, decodes = place.counts
        assert prefills * each[0] + decodes * each[1] <= place.domain.accelerators
        assert place.share == 0 or min(place.counts) > 0
    if places:
        assert tuple(np.sum([place.counts for place in places], axis=0)) == counts(found.replicas)
        assert sum(place.share for place in places) == pytest.approx(1) or not found.feasible


def test_a_fleet_in_one_large_domain_is_as_one_without() -> None:
    free, placed = (size(demand(60.0), spec(domains=some)) for some in ((), domains(64)))

    assert placed.replicas == free.replicas
    assert placed.runner_up == free.runner_up
    assert placed.prediction == free.prediction
    assert split(placed) == {"a": counts(free.replicas)}
    assert free.placement is None


@pytest.mark.parametrize(
    ("accelerators", "each", "expected"),
    [
        pytest.param((8, 8, 8, 8), (4, 4), {(1, 1)}, id="one pair each: 1.5 do not fit"),
        pytest.param((12, 12, 12), (4, 4), {(2, 1)}, id="one more prefill each"),
        pytest.param((4, 4, 24), (4, 4), {(4, 2), (0, 0)}, id="what can hold no pair stays empty"),
    ],
)
def test_pods_lie_whole_in_a_domain(
    accelerators: tuple[int, ...], each: tuple[int, int], expected: set[tuple[int, int]]
) -> None:
    """30 requests/s need 4 prefill and 2 decode in one domain."""
    found = size(demand(30.0), engines(*each, ttft_s=2.0, domains=domains(*accelerators)))

    assert found.feasible
    assert expected >= set(split(found).values()) - {(0, 0)}


def test_the_loss_of_pooling_is_told() -> None:
    found = size(demand(30.0), engines(4, 4, ttft_s=2.0, domains=domains(8, 8, 8, 8)))
    assert found.placement is not None

    assert counts(found.replicas) == (4, 4)
    assert counts(found.ideal) == (4, 2)
    assert found.placement.reason == "in one domain 4 prefill and 2 decode would do"
    assert any(
        line.startswith("a, b, c and d: 1 prefill and 1 decode each") for line in found.reasons
    )


@pytest.mark.parametrize(
    ("accelerators", "each", "said"),
    [
        pytest.param(
            (4, 7),
            (4, 4),
            "no domain holds a prefill pod of 4 and a decode pod of 4 together: b, the largest,"
            " holds 7 accelerators",
            id="no pair anywhere",
        ),
        pytest.param(
            (3, 3),
            (1, 1),
            "a and b hold 6 accelerators; even in one domain 10 are needed",
            id="too few",
        ),
        pytest.param(
            (5, 5),
            (1, 1),
            "a and b hold 10 accelerators, but each alone: they serve 91.6 % of the arrivals within"
            " the SLO at best, where 10 in one domain would do",
            id="enough, but cut up",
        ),
    ],
)
def test_what_can_not_be_placed_says_which_domain_is_short(
    accelerators: tuple[int, ...], each: tuple[int, int], said: str
) -> None:
    found = size(demand(60.0), engines(*each, domains=domains(*accelerators)))
    assert found.placement is not None

    assert not found.feasible
    assert found.placement.reason == said


def test_bounds_are_no_fault_of_domains() -> None:
    found = size(demand(60.0), spec(high=(3, 3), domains=domains(32)))
    tight = size(demand(60.0), spec(domains=domains(32), budget=Budget(accelerators=4)))

    for each in (found, tight):
        assert not each.feasible
        assert each.placement is not None
        assert not each.placement.reason


def test_pods_of_a_minimum_that_serve_nobody_lie_where_there_is_room() -> None:
    found = size(demand(5.0), spec(low=(4, 1), domains=domains(3, 3)))

    assert counts(found.replicas) == (4, 1)
    assert sorted(split(found).values()) == [(2, 0), (2, 1)]
    assert found.feasible


def test_one_more_pod_is_worth_what_it_brings_where_it_fits() -> None:
    found = size(demand(60.0), spec(domains=domains(7, 7)))
    full = size(demand(60.0), spec(domains=domains(5, 5)))

    assert advice.marginal(found)[P].rate_rps > 0
    assert advice.marginal(full) == {}
    assert advice.most_rps(found, found.replicas) >= 60.0


def test_a_policy_s_pair_is_judged_where_it_lies() -> None:
    asked = engines(4, 4, ttft_s=2.0, domains=domains(8, 8))
    load = demand(15.0)

    assert placement.predict(load, asked, pair(2, 2)).attainment > 0.99
    assert placement.predict(load, asked, pair(2, 1)).attainment < 0.5
    assert placement.predict(load, replace(asked, domains=()), pair(2, 1)).attainment > 0.99


@pytest.mark.parametrize(
    ("rate_rps", "accelerators", "ttft_s"),
    [
        pytest.param(26.0, (4, 4), 1.0, id="two alike"),
        pytest.param(42.0, (4, 6), 0.6, id="two unlike"),
        pytest.param(48.0, (4, 4, 4), 0.8, id="three"),
    ],
)
def test_each_domain_does_what_a_fleet_of_its_own_does_in_the_simulator(
    rate_rps: float, accelerators: tuple[int, ...], ttft_s: float
) -> None:
    """Every request goes to one of the domains at random, by its share, and is served there alone."""
    asked = spec(ttft_s=ttft_s, domains=domains(*accelerators), policy="static", attainment=0.97)
    found = size(demand(rate_rps, input_cv=0.7, output_cv=0.7), asked)
    assert found.placement is not None
    serving = found.placement.serving
    rng = np.random.default_rng(1)
    arrivals_s = np.cumsum(rng.exponential(1 / rate_rps, REQUESTS))
    inputs, outputs = (lognormal(rng, mean, 0.7) for mean in (1000, 200))
    goes_to = rng.choice(len(serving), REQUESTS, p=[place.share for place in serving])
    met = 0.0
    for number, place in enumerate(serving):
        rows = np.flatnonzero(goes_to == number)
        columns = zip(
            arrivals_s[rows].tolist(), inputs[rows].tolist(), outputs[rows].tolist(), strict=True
        )
        trace = Trace(
            name=place.domain.name,
            requests=tuple(
                TraceRequest(arrival_s=at_s, input_tokens=i, output_tokens=o)
                for at_s, i, o in columns
            ),
        )
        alone = replace(asked, domains=())
        result = simulate(Scenario(trace=trace, spec=alone, replicas=place.replicas, order="fcfs"))
        met += result.attainment * len(rows) / REQUESTS

    assert len(serving) > 1
    assert found.prediction.attainment == pytest.approx(met, abs=0.004)


REQUESTS = 20_000


def lognormal(rng: np.random.Generator, mean: float, cv: float) -> np.ndarray:
    """Lengths as `from_means` has them."""
    spread = np.log(1 + cv * cv)
    drawn = rng.normal(np.log(mean) - spread / 2, np.sqrt(spread), REQUESTS)
    return np.maximum(np.exp(drawn), 1).astype(int)
