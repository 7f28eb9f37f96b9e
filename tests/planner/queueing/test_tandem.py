from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.planner.builders import ENGINE, demand, spec

from tandem.api.role import Role
from tandem.planner.queueing.stages import UNLIMITED
from tandem.planner.queueing.tandem import Tandem

BY_PREFILL = replace(ENGINE, first_token=Role.PREFILL)


def test_ttft_is_the_sum_of_its_parts_and_no_sum_of_percentiles() -> None:
    """The convolution against a Monte Carlo sum of the same parts."""
    tandem = Tandem(demand(35.0, input_cv=1.0), spec(ttft_s=0.35, tpot_s=1.0))
    rng = np.random.default_rng(1)
    size = 400_000
    stage, wait = tandem.decode(2), tandem.wait(5)
    points = rng.choice(len(tandem.lengths.weights), size, p=tandem.lengths.weights)
    shares = 1 - np.geomspace(1e-6, 1, 20_000)
    waits_s = np.interp(rng.random(size), shares[::-1], [wait.quantile_s(s) for s in shares[::-1]])
    step_s = rng.choice(stage.pool.step_s, size, p=stage.pool.shares)
    late = (rng.random(size) < stage.pool.busy) * rng.random(size)
    ttft_s = tandem.path_s(2)[points] + waits_s + step_s * (1 + late)

    assert stage.pool.admission.probability < 1e-6
    assert tandem.attainment(5, 2) == pytest.approx((ttft_s <= 0.35).mean(), abs=0.003)


def test_the_prefill_leg_owes_nothing_to_decode_when_it_emits_the_first_token() -> None:
    """TTFT = W + S, so P(TTFT <= t) is what the tail of W leaves."""
    tandem = Tandem(demand(35.0), spec(profile=BY_PREFILL, ttft_s=0.2, tpot_s=1.0))

    assert tandem.attainment(5, 2) == pytest.approx(1 - tandem.wait(5).miss(0.2 - 0.1), abs=1e-3)
    assert tandem.attainment(5, 2) == pytest.approx(tandem.attainment(5, 9))


def test_the_first_gap_weighs_on_short_outputs() -> None:
    """TPOT = τ + (X + U·τ + W)/(O − 1) when the prefill leg emits token 1: 11 ms more for O = 2."""
    short, long = (
        Tandem(demand(0.0, output_tokens=tokens), spec(profile=BY_PREFILL)) for tokens in (2, 400)
    )
    transfer_s = float(short.link_work.alone_s[0])
    step_s = short.decode(1).pool.mean_step_s

    assert short.tpot_within(1, step_s + transfer_s + 1e-4)[0] == pytest.approx(1.0)
    assert short.tpot_within(1, step_s + transfer_s - 1e-4)[0] == pytest.approx(0.0)
    assert long.tpot_within(1, long.decode(1).pool.mean_step_s + 1e-4)[0] == pytest.approx(1.0)


def test_one_token_has_no_tpot_to_miss() -> None:
    tandem = Tandem(demand(5.0, output_tokens=1), spec(tpot_s=1e-6))

    assert tandem.attainment(2, 2) == pytest.approx(1.0, abs=1e-4)


def test_requests_that_no_engine_can_hold_are_missed_and_load_nothing() -> None:
    small = replace(ENGINE, kv=replace(ENGINE.kv, capacity_tokens=4000))
    huge = demand(10.0, input_cv=1.0)
    tandem = Tandem(huge, spec(profile=small))

    assert tandem.served < 1
    assert tandem.rate_rps == pytest.approx(10.0 * tandem.served)
    assert tandem.attainment(UNLIMITED, UNLIMITED) <= tandem.served


def test_attainment_is_joint() -> None:
    both, ttft, tpot = (
        Tandem(demand(35.0, output_cv=1.0), spec(ttft_s=ttft_s, tpot_s=tpot_s)).attainment(5, 3)
        for ttft_s, tpot_s in ((0.25, 0.0165), (0.25, 1.0), (60.0, 0.0165))
    )

    assert 0 < both < min(ttft, tpot)
    assert both >= ttft + tpot - 1 - 1e-9


@pytest.mark.parametrize("profile", [ENGINE, BY_PREFILL], ids=["first by decode", "by prefill"])
def test_overload_attains_nothing(profile: object) -> None:
    tandem = Tandem(demand(50.0), spec(profile=profile))  # type: ignore[arg-type]

    assert tandem.attainment(4, 64) == pytest.approx(0.0, abs=1e-9)
    assert tandem.attainment(64, 1) == pytest.approx(0.0, abs=1e-9)


@given(
    rate_rps=st.floats(0.0, 60.0),
    prefills=st.integers(1, 12),
    decodes=st.integers(1, 8),
    cv=st.sampled_from([0.0, 0.5, 1.5]),
    profile=st.sampled_from([ENGINE, BY_PREFILL]),
    ttft_s=st.floats(0.12, 2.0),
)
def test_one_more_replica_never_attains_less(  # noqa: PLR0917 - hypothesis
    rate_rps: float, prefills: int, decodes: int, cv: float, profile: object, ttft_s: float
) -> None:
    load = demand(rate_rps, input_cv=cv, output_cv=cv)
    tandem = Tandem(load, spec(profile=profile, ttft_s=ttft_s))  # type: ignore[arg-type]
    now = tandem.attainment(prefills, decodes)

    assert 0 <= now <= 1
    assert tandem.attainment(prefills + 1, decodes) >= now - 1e-6
    assert tandem.attainment(prefills, decodes + 1) >= now - 1e-3


def test_idle_engines_do_alike_at_any_rate() -> None:
    """What is known of them is kept, so it must not hang on who asked first."""
    load = demand(30.0, input_cv=1.0, output_cv=0.8)
    busier = replace(load, rate_rps=900.0)
    asked, others = spec(ttft_s=0.4, tpot_s=0.02), spec(ttft_s=0.4, tpot_s=0.0101)

    told = Tandem(load, asked).attainment(UNLIMITED, UNLIMITED)
    assert Tandem(busier, asked).attainment(UNLIMITED, UNLIMITED) == told
    assert Tandem(busier, others).attainment(UNLIMITED, UNLIMITED) < told
