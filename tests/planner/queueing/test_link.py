from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.planner.builders import ENGINE, demand, pair, spec
from tests.planner.queueing.simulated import lognormal, transfers

from tandem.perf.engine_profile import EngineProfile
from tandem.planner.demand import LengthMix, from_means, from_requests
from tandem.planner.model import Bottleneck
from tandem.planner.prediction import predict
from tandem.planner.queueing import link, prefill
from tandem.planner.queueing.link import LinkWork
from tandem.planner.queueing.tandem import Tandem

MANY = 10**6


def linked(
    *, bytes_per_s: float = 1e10, push_layers: int = 0, domain_bytes_per_s: float = 0.0
) -> EngineProfile:
    transfer = replace(
        ENGINE.transfer,
        latency_s=0.0,
        bandwidth_bytes_per_s=bytes_per_s,
        push_layers=push_layers,
        domain_bytes_per_s=domain_bytes_per_s,
    )
    return replace(ENGINE, transfer=transfer)


def work_of(profile: EngineProfile, lengths: LengthMix) -> LinkWork:
    return link.work(profile, lengths, prefill.work(profile, lengths))


def test_work_is_what_an_idle_link_takes() -> None:
    assert work_of(ENGINE, from_means(1000, 10)).mean_s == pytest.approx(ENGINE.transfer_s(1000))


def test_load_is_shared_by_all_links_and_the_busier_kind_is_told() -> None:
    work = work_of(ENGINE, from_means(1000, 10))

    assert link.state(work, 20.0, MANY, 2).use == pytest.approx(10 * work.mean_s, rel=1e-3)
    assert link.state(work, 20.0, 1, 2).use == pytest.approx(20 * work.mean_s)


def test_one_taker_of_what_many_send_is_shared_by_poisson_arrivals() -> None:
    """E[T | x] = x/(1 - rho) (Kleinrock 1976)."""
    work = work_of(ENGINE, from_means(1000, 10))

    assert link.state(work, 0.75 / work.mean_s, MANY, 1).excess == pytest.approx(3.0, rel=1e-3)


def test_a_link_that_is_asked_for_more_than_it_has_is_never_through() -> None:
    work = work_of(ENGINE, from_means(1000, 10))

    assert link.state(work, 1.01 / work.mean_s, MANY, 1).excess == np.inf


@given(st.floats(0.0, 60.0), st.floats(0.0, 5.0), st.integers(1, 12), st.integers(1, 12))
def test_more_load_never_makes_transfers_shorter(
    rate_rps: float, more_rps: float, prefills: int, decodes: int
) -> None:
    mix = from_means(1000, 10, input_cv=1.0)
    profile = linked(bytes_per_s=1e9)
    work, prefill_s = work_of(profile, mix), prefill.work(profile, mix).mean_s
    now, busier = (
        link.state(work, rate, prefills, decodes, prefill_s)
        for rate in (rate_rps, rate_rps + more_rps)
    )

    assert busier.use >= now.use
    assert busier.excess >= 0.9 * now.excess  # a prefill that is always busy spaces transfers more


# The mean of pulled transfers: over 30 fleets of benchmarks/planner/handovers.py -14 to +104 %, 27 within 20 %.
@pytest.mark.parametrize(("prefills", "decodes"), [(4, 1), (8, 2), (4, 4), (2, 8)], ids=str)
@pytest.mark.parametrize("use", [0.3, 0.6])
def test_transfers_take_as_long_as_simulated(prefills: int, decodes: int, use: float) -> None:
    rng = np.random.default_rng(4)
    lengths = lognormal(rng, 1500, 1.0, 6000), lognormal(rng, 150, 1.0, 6000)
    mix = from_requests(*lengths)
    rate_rps = 0.7 * prefills / prefill.work(ENGINE, mix).mean_s
    busy_bytes = rate_rps * mix.mean_input * ENGINE.kv.bytes_per_token / min(prefills, decodes)
    profile = linked(bytes_per_s=busy_bytes / use)
    seen_s = transfers(profile, (prefills, decodes), rate_rps, lengths, rng)
    tandem = Tandem(
        replace(demand(rate_rps), lengths=mix), spec(profile=profile, ttft_s=0.1, high=(64, 64))
    )
    stage = tandem.decode(decodes, prefills)
    told_s = float(mix.weights @ stage.transfer_s)

    assert told_s == pytest.approx(seen_s.mean(), rel=0.2)


def test_what_is_pushed_while_it_is_computed_hides_behind_it() -> None:
    """A prompt of 100 ms whose KV takes 50 ms alone exposes its last of ten layers; at 200 ms, 100 ms."""
    mix = from_means(1000, 10)
    fast, slow = (
        link.exposed_s(work_of(linked(bytes_per_s=rate, push_layers=10), mix), 0.0)
        for rate in (2e9, 5e8)
    )

    assert fast == pytest.approx(0.005)
    assert slow == pytest.approx(0.2 - 0.1)


def test_a_domain_with_less_than_its_ports_is_shared_by_all() -> None:
    """Four ports' worth for sixteen: M/M/4 with processor sharing."""
    profile = linked(domain_bytes_per_s=4e10)
    work = work_of(profile, from_means(1000, 10))
    shared, free = (
        link.state(each, 3.2 / work.mean_s, MANY, 16)
        for each in (work, work_of(linked(), from_means(1000, 10)))
    )

    assert shared.use == pytest.approx(0.8)
    assert shared.excess - free.excess == pytest.approx(0.596 / (4 * 0.2), rel=0.01)  # Erlang C


def test_prefill_is_held_up_by_what_decode_does_not_take_and_is_not_blamed() -> None:
    """Decode has no KV to spare: prompts stay on the prefill pods until these have no room either."""
    cramped = replace(ENGINE, kv=replace(ENGINE.kv, capacity_tokens=24_000))
    asked = spec(profile=cramped, ttft_s=30.0, tpot_s=0.5)
    told = predict(demand(7.6, output_tokens=300, input_cv=0.5), asked, pair(2, 1))
    roomy = predict(demand(7.6, output_tokens=300, input_cv=0.5), asked, pair(2, 4))

    assert told.held_up > 0.02
    assert told.bottleneck in {Bottleneck.DECODE_KV, Bottleneck.KV_TRANSFER}
    assert roomy.held_up == 0.0
