from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.planner.builders import ENGINE, D, costing, demand, pair, spec

from tandem.errors import InvalidInputError
from tandem.perf.engine_profile import EngineProfile
from tandem.planner import region
from tandem.planner.check import check, check_slo
from tandem.planner.spec import (
    Budget,
    Domain,
    FleetSpec,
    Pool,
    RatioBounds,
    RequestClass,
    Slo,
    TtftTier,
)

OTHER_KV = replace(ENGINE, kv=replace(ENGINE.kv, bytes_per_token=5e4))


def pool(name: str, *, least: int = 0, most: int = 64, profile: EngineProfile = ENGINE) -> Pool:
    return Pool(name=name, profile=profile, min_replicas=least, max_replicas=most)


def with_pools(*pools: Pool) -> FleetSpec:
    calm = spec()
    return replace(calm, roles={**calm.roles, D: replace(calm.roles[D], pools=pools)})


def with_tiers(*rows: tuple[int, float]) -> FleetSpec:
    tiers = tuple(TtftTier(max_input_tokens=most, ttft_s=target_s) for most, target_s in rows)
    return replace(spec(), slo=replace(spec().slo, tiers=tiers))


def chat(share: float) -> RequestClass:
    return RequestClass(name="chat", slo=spec().slo, share=share)


def test_a_calm_spec_passes() -> None:
    check(spec())
    check_slo(demand(), spec())
    check(replace(with_tiers((500, 0.3)), classes=(chat(0.5),)))
    check(with_pools(pool("a", least=1), pool("b")))
    check(spec(domains=(Domain(name="a", accelerators=2), Domain(name="b", accelerators=1))))


def with_domains(*rows: tuple[str, int], **rest: object) -> FleetSpec:
    domains = tuple(Domain(name=name, accelerators=count) for name, count in rows)
    return spec(domains=domains, **rest)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("build", "said"),
    [
        pytest.param(
            lambda: with_domains(("a", 8), ("a", 8)),
            "domains: 'a' is not allowed: a name for each domain, each once",
            id="domain twice",
        ),
        pytest.param(
            lambda: with_domains(("a", 0)),
            "domains: 'a=0' is not allowed: 1 accelerator or more in each",
            id="empty domain",
        ),
        pytest.param(
            lambda: with_domains(("a", 1), ("b", 1)),
            "domains: 'a=1' is not allowed: at least 2 accelerators in one domain, room for"
            " a prefill replica (1) and a decode replica (1)",
            id="no domain holds both roles",
        ),
        pytest.param(
            lambda: with_domains(("a", 4), ("b", 4), low=(5, 5)),
            "domains: '8 accelerators' is not allowed: room for the smallest pair that bounds and"
            " ratio allow, each pod whole in one domain",
            id="minima do not fit",
        ),
        pytest.param(
            lambda: replace(with_pools(pool("x")), domains=(Domain(name="a", accelerators=8),)),
            "domains: 'a' is not allowed: left out where a role has several pools, as decode has",
            id="domains and pools",
        ),
        pytest.param(
            lambda: spec(low=(5, 1), high=(4, 4)),
            "prefill.replicas.min: 5 is not allowed: at most replicas.max (4)",
            id="minimum over maximum",
        ),
        pytest.param(
            lambda: spec(low=(1, -1)),
            "decode.replicas.min: -1 is not allowed: 0 or more",
            id="less than none",
        ),
        pytest.param(
            lambda: spec(high=(4, 4), low=(1, 2), ratio=RatioBounds(lowest=(3, 1))),
            "ratio.min: '3:1' is not allowed: a ratio that some pair of 1 to 4 prefill and 2 to 4"
            " decode replicas has, together with the other bound",
            id="a ratio that no pair has",
        ),
        pytest.param(
            lambda: spec(ratio=RatioBounds(lowest=(2, 1), highest=(1, 1))),
            "ratio.max: '1:1' is not allowed",
            id="ratios that exclude each other",
        ),
        pytest.param(
            lambda: spec(ratio=RatioBounds(lowest=(0, 0))),
            "ratio.min: '0:0' is not allowed: two whole numbers, not both 0",
            id="a ratio of nothing",
        ),
        pytest.param(
            lambda: spec(low=(2, 3), budget=Budget(accelerators=4)),
            "budget.accelerators: 4 is not allowed: at least 5,",
            id="a budget below the minima",
        ),
        pytest.param(
            lambda: spec(
                low=(1, 3), ratio=RatioBounds(lowest=(1, 1)), budget=Budget(accelerators=5)
            ),
            "budget.accelerators: 5 is not allowed: at least 6,",
            id="a budget below what the ratio makes of the minima",
        ),
        pytest.param(
            lambda: spec(profile=costing(ENGINE, 4.0), budget=Budget(cost_per_hour=7.9)),
            "budget.costPerHour: 7.9 is not allowed: at least 8,",
            id="too little money",
        ),
        pytest.param(
            lambda: replace(spec(), slo=Slo(ttft_s=float("nan"), tpot_s=0.1)),
            "slo.ttft: nan is not allowed: finite and above 0 seconds",
            id="a target that is no number",
        ),
        pytest.param(
            lambda: spec(attainment=1.0),
            "slo.attainment: 1.0 is not allowed: between 0 and 1",
            id="all of them",
        ),
        pytest.param(
            lambda: with_pools(pool("a", most=2), pool("a")),
            "decode.pools: 'a' is not allowed: each name once",
            id="a pool twice",
        ),
        pytest.param(
            lambda: with_pools(pool("a", least=3, most=2)),
            "decode.pools.a.replicas.min: 3 is not allowed: 0 to 2, its most replicas",
            id="a pool with less room than it needs",
        ),
        pytest.param(
            lambda: with_pools(pool("a", most=0), pool("b", most=0)),
            "decode.pools: 0 is not allowed: at least 1, the fewest replicas of the role",
            id="pools without room",
        ),
        pytest.param(
            lambda: with_pools(pool("a", least=40), pool("b", least=40)),
            "decode.pools: 80 is not allowed: at most 64, the most replicas of the role",
            id="pools that need more than the role may have",
        ),
        pytest.param(
            lambda: with_pools(pool("a"), pool("b", profile=OTHER_KV)),
            "decode.pools.b: 50000.0 is not allowed: KV of 100000 bytes a token",
            id="engines that can't read each other's KV",
        ),
        pytest.param(
            lambda: replace(spec(), classes=(chat(0.6), chat(0.2))),
            "classes: 'chat' is not allowed: each name once",
            id="a class twice",
        ),
        pytest.param(
            lambda: replace(spec(), classes=(chat(0.6), replace(chat(0.6), name="b"))),
            "classes.share: 1.2 is not allowed: at most 1 in all",
            id="more classes than arrivals",
        ),
        pytest.param(
            lambda: replace(spec(), classes=(replace(chat(0.6), slo=Slo(ttft_s=1, tpot_s=0)),)),
            "classes.chat.tpot: 0 is not allowed: finite and above 0 seconds",
            id="a class without time",
        ),
        pytest.param(
            lambda: with_tiers((500, 0.3), (500, 0.4)),
            "slo.tiers: 500 is not allowed: more tokens than in the tier before, 500",
            id="a tier twice",
        ),
        pytest.param(
            lambda: with_tiers((500, 0.3), (800, float("nan"))),
            "slo.tiers: nan is not allowed: finite, above 0 seconds",
            id="a tier without a target",
        ),
        pytest.param(
            lambda: with_tiers((500, 1.5)),
            "slo.tiers: 1.0 is not allowed: finite, above 0 seconds and no less than shorter",
            id="less time for longer prompts",
        ),
        pytest.param(
            lambda: spec(policy="magic"),
            "policy: 'magic' is not allowed: one of tandem, static, hpa",
            id="an unknown policy",
        ),
        pytest.param(
            lambda: spec(policy="hpa", parameters={"targets": 0.5}),
            "policy.parameters.targets: 0.5 is not allowed: one of target",
            id="an unknown parameter",
        ),
        pytest.param(
            lambda: spec(policy="hpa", parameters={"target": 7.0}),
            "policy.parameters.target: 7.0 is not allowed: from 0.01 to 1",
            id="a parameter out of range",
        ),
    ],
)
def test_a_spec_that_can_not_be_is_refused_by_field_and_value(
    build: Callable[[], FleetSpec], said: str
) -> None:
    with pytest.raises(InvalidInputError) as error:
        check(build())

    assert str(error.value).startswith(said)


def test_a_field_is_called_what_the_user_calls_it() -> None:
    with pytest.raises(InvalidInputError, match=r"^--min-prefill: 5 is not allowed"):
        check(spec(low=(5, 1), high=(4, 4)), {"prefill.replicas.min": "--min-prefill"})


@pytest.mark.parametrize(
    ("ttft_s", "tpot_s", "said"),
    [
        pytest.param(
            0.01,
            0.03,
            "slo.ttft: '10ms' is not allowed: at least 121 ms, what one idle engine of test-engine"
            " needs for 99 % of these requests",
            id="TTFT",
        ),
        pytest.param(
            1.0,
            0.009,
            "slo.tpot: '9ms' is not allowed: at least 10.1 ms, what one idle engine of test-engine"
            " needs for 99 % of these requests",
            id="TPOT",
        ),
    ],
)
def test_an_slo_below_what_an_idle_engine_needs_is_refused(
    ttft_s: float, tpot_s: float, said: str
) -> None:
    with pytest.raises(InvalidInputError) as error:
        check_slo(demand(), spec(ttft_s=ttft_s, tpot_s=tpot_s))

    assert str(error.value) == said


small = st.integers(0, 6)


@given(
    low=st.tuples(small, small),
    more=st.tuples(small, small),
    ratio=st.tuples(small, small),
    budget=st.integers(0, 14),
)
def test_what_passes_has_an_allowed_pair_and_what_has_none_is_refused(
    low: tuple[int, int], more: tuple[int, int], ratio: tuple[int, int], budget: int
) -> None:
    asked = spec(
        low=low,
        high=(low[0] + more[0], low[1] + more[1]),
        ratio=RatioBounds(lowest=ratio) if any(ratio) else RatioBounds(),
        budget=Budget(accelerators=budget),
    )
    exists = region.of(asked).nearest(pair(3, 3)) is not None
    try:
        check(asked)
    except InvalidInputError:
        assert not exists
    else:
        assert exists
