from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.examples import fewer
from tests.planner.builders import ENGINE, counts, demand, pair, spec

from tandem.api.role import Role
from tandem.planner import prediction
from tandem.planner.demand import Demand, from_means, of_classes
from tandem.planner.queueing.stages import UNLIMITED
from tandem.planner.queueing.tandem import Tandem
from tandem.planner.queueing.targets import OTHERS
from tandem.planner.sizing import size
from tandem.planner.spec import FleetSpec, RequestClass, Slo, TtftTier

BY_PREFILL = replace(ENGINE, first_token=Role.PREFILL)
CHAT = RequestClass(name="chat", slo=Slo(ttft_s=0.3, tpot_s=0.02, attainment=0.95), share=0.25)
BATCH = RequestClass(name="batch", slo=Slo(ttft_s=30.0, tpot_s=0.1, attainment=0.9), share=0.5)


def tiered(*tiers: tuple[int, float], ttft_s: float = 2.0, **rest: float) -> FleetSpec:
    asked = spec(ttft_s=ttft_s, **rest)  # type: ignore[arg-type]
    rows = tuple(TtftTier(max_input_tokens=most, ttft_s=target_s) for most, target_s in tiers)
    return replace(asked, slo=replace(asked.slo, tiers=rows))


@pytest.mark.parametrize("profile", [ENGINE, BY_PREFILL], ids=["first by decode", "by prefill"])
def test_tiers_are_the_sum_over_their_prompts(profile: object) -> None:
    """Each tier's prompts attain what they do under their own target alone."""
    load = demand(30.0, input_cv=1.0, output_cv=0.5)
    ends = {0: (0, 500), 1: (500, 2000), 2: (2000, 10**9)}
    targets_s = (0.15, 0.5, 2.0)
    asked = tiered((500, 0.15), (2000, 0.5), profile=profile)  # type: ignore[arg-type]
    inputs = load.lengths.input_tokens
    parts = 0.0
    for tier, (above, most) in ends.items():
        weights = load.lengths.weights * ((inputs > above) & (inputs <= most))
        one = spec(ttft_s=targets_s[tier], profile=profile)  # type: ignore[arg-type]
        only = replace(one, classes=(RequestClass(name="tier", slo=one.slo),))
        of = Tandem(replace(load, classes={"tier": weights}), only)
        parts += float(weights.sum()) * float(of.attainments(4, 3)[0])

    assert Tandem(load, asked).attainment(4, 3) == pytest.approx(parts, abs=0.006)


def test_a_tier_holds_up_to_its_bound() -> None:
    """1000 tokens take 100 ms and two steps: 120 ms is out of reach, 300 ms is not."""
    short, long = (
        Tandem(demand(1.0, input_tokens=tokens), tiered((1000, 0.11), ttft_s=0.3))
        for tokens in (1000, 1001)
    )

    assert short.attainment(4, 4) == pytest.approx(0.0, abs=1e-6)
    assert long.attainment(4, 4) == pytest.approx(1.0, abs=0.01)


@fewer(40)
@given(
    rate_rps=st.floats(0.1, 80.0),
    target_s=st.floats(0.15, 1.5),
    looser=st.floats(1.0, 3.0),
    tokens=st.integers(100, 4000),
)
def test_a_looser_tier_never_needs_more(
    rate_rps: float, target_s: float, looser: float, tokens: int
) -> None:
    load = demand(rate_rps, input_cv=0.8, output_cv=0.5)
    tight, loose = (
        size(load, tiered((tokens, target_s * factor), ttft_s=4.5), spare=0.5)
        for factor in (1.0, looser)
    )

    assert sum(counts(loose.replicas)) <= sum(counts(tight.replicas)) or not tight.feasible


def test_classes_of_one_slo_are_as_one() -> None:
    asked = spec()
    classes = tuple(RequestClass(name=name, slo=asked.slo, share=0.3) for name in ("a", "b"))
    load = demand(35.0, input_cv=0.5)
    alone, together = Tandem(load, asked), Tandem(load, replace(asked, classes=classes))

    assert together.attainments(5, 3) == pytest.approx([alone.attainment(5, 3)] * 3)
    assert together.attainment(5, 3) == pytest.approx(alone.attainment(5, 3))
    assert size(load, replace(asked, classes=classes)).replicas == size(load, asked).replicas


def test_a_class_with_lengths_of_its_own_is_judged_by_them() -> None:
    """Long prompts of the one class load the queue of the other, whose own are short."""
    mixes = {"chat": (3.0, from_means(500, 100)), "batch": (1.0, from_means(4000, 400))}
    load = of_classes(20.0, mixes)
    asked = replace(
        spec(),
        classes=(replace(CHAT, share=None), replace(BATCH, share=None)),
    )
    tandem = Tandem(load, asked)
    told = prediction.of(tandem, 4, 3)

    assert load.lengths.mean_input == pytest.approx(0.75 * 500 + 0.25 * 4000)
    assert [each.share for each in tandem.targets] == pytest.approx([0.75, 0.25])
    assert set(told.classes) == {"chat", "batch"}
    assert told.attainment == pytest.approx(
        0.75 * told.classes["chat"] + 0.25 * told.classes["batch"]
    )
    assert 0 < told.classes["chat"] < told.classes["batch"]


def test_what_no_class_takes_has_the_slo_of_the_fleet() -> None:
    tandem = Tandem(demand(20.0), replace(spec(), classes=(CHAT, BATCH)))

    assert [each.name for each in tandem.targets] == ["chat", "batch", OTHERS]
    assert tandem.targets[2].share == pytest.approx(0.25)
    assert tandem.targets[2].slo == spec().slo


@fewer(30)
@given(
    rate_rps=st.floats(0.1, 60.0),
    shares=st.tuples(st.floats(0.05, 0.45), st.floats(0.05, 0.45)),
    cv=st.sampled_from([0.0, 0.7]),
    attainment=st.floats(0.5, 0.99),
)
def test_every_class_attains_what_it_asks_for(
    rate_rps: float, shares: tuple[float, float], cv: float, attainment: float
) -> None:
    chat = replace(CHAT, share=shares[0], slo=replace(CHAT.slo, ttft_s=0.6, attainment=attainment))
    asked = replace(spec(ttft_s=1.5), classes=(chat, replace(BATCH, share=shares[1])))
    found = size(demand(rate_rps, input_cv=cv, output_cv=cv), asked)
    goals = {"chat": attainment, "batch": 0.9, OTHERS: 0.99}

    assert found.feasible == all(
        share >= goals[name] for name, share in found.prediction.classes.items()
    )
    assert found.feasible or found.infeasible is not None


def test_a_strict_class_costs_replicas_and_a_patient_one_saves_them() -> None:
    load = demand(60.0, input_cv=0.5, output_cv=0.5)

    def total(*classes: RequestClass) -> int:
        return sum(counts(size(load, replace(spec(), classes=classes)).replicas))

    strict = replace(CHAT, slo=Slo(ttft_s=0.4, tpot_s=0.0125))
    patient = replace(BATCH, share=1.0)

    assert total(strict) > total() >= total(patient)


def test_a_class_that_idle_engines_do_not_serve_is_named() -> None:
    hasty = replace(CHAT, slo=replace(CHAT.slo, ttft_s=0.05))
    found = size(demand(20.0), replace(spec(), classes=(hasty, BATCH)))

    assert not found.feasible
    assert found.infeasible is not None
    assert (found.infeasible.name, found.infeasible.asked) == ("chat", hasty.slo)
    assert found.infeasible.ttft_s == pytest.approx(0.121, abs=0.001)
    assert 2 < sum(counts(found.replicas)) < 12


def test_requests_that_no_engine_holds_are_missed_by_their_own_class() -> None:
    small = replace(ENGINE, kv=replace(ENGINE.kv, capacity_tokens=3000))
    mixes = {"chat": (1.0, from_means(500, 100)), "batch": (1.0, from_means(4000, 100))}
    classes = (replace(CHAT, share=None), replace(BATCH, share=None))
    tandem = Tandem(of_classes(2.0, mixes), replace(spec(profile=small), classes=classes))

    assert tandem.attainments(9, 9) == pytest.approx([1.0, 0.0], abs=0.01)


@given(
    st.floats(0, 1e5),
    st.floats(1, 1e6),
    st.floats(0, 5),
    st.floats(0.01, 1.0),
    st.floats(1e-3, 100),
)
@fewer(40)
def test_no_mixture_raises(
    rate_rps: float, input_tokens: float, cv: float, share: float, ttft_s: float
) -> None:
    classes = (replace(CHAT, share=share, slo=Slo(ttft_s=ttft_s, tpot_s=0.02)),)
    asked = replace(tiered((1000, ttft_s), ttft_s=100.0), classes=classes)
    found = size(demand(rate_rps, input_tokens, 100.0, input_cv=cv, output_cv=cv), asked)

    assert all(0 <= share <= 1 for share in found.prediction.classes.values())
    assert 0 <= found.prediction.attainment <= 1


def test_nobody_at_all_attains_all() -> None:
    load = Demand(rate_rps=0.0, lengths=demand().lengths)
    tandem = Tandem(load, replace(spec(), classes=(CHAT,)))

    assert tandem.attainments(1, 1) == pytest.approx([1.0, 1.0], abs=1e-3)
    assert np.all(tandem.attainments(UNLIMITED, UNLIMITED) <= 1)
    assert size(load, replace(spec(), classes=(CHAT,))).replicas == pair(1, 1)
