"""Ideas that live inside an engine, as profiles, role shapes or demands: the plan moves the right way.

Each is what its paper says of the engine (docs/policies.md), put into `EngineProfile` by `dataclasses.replace`:
the planner needs no rule of its own for any of them. What is shown is the direction, and its size where a
source gives one; none of these engines was measured here.
"""

from dataclasses import replace

import pytest
from tests.planner.builders import ENGINE, D, P, demand, spec

from tandem.perf.engine_profile import EngineProfile, TransferCost
from tandem.planner.demand import Demand, from_means
from tandem.planner.prediction import predict
from tandem.planner.sizing import Sizing, size
from tandem.planner.spec import FleetSpec, RatioBounds

LOAD = demand(rate_rps=100.0, input_tokens=2000.0, output_tokens=300.0, input_cv=0.5, output_cv=0.5)
PRICED = replace(ENGINE, cost_per_hour=4.0)


def fleet(prefill: EngineProfile, decode: EngineProfile | None = None, **asked: float) -> FleetSpec:
    """A fleet whose roles may run on different engines."""
    plain = spec(**asked)  # type: ignore[arg-type]
    profiles = {P: prefill, D: prefill if decode is None else decode}
    roles = {
        role: replace(each, profile=profiles[role], max_replicas=1000)
        for role, each in plain.roles.items()
    }
    return replace(plain, roles=roles)


def sized(
    prefill: EngineProfile, decode: EngineProfile | None = None, load: Demand = LOAD
) -> Sizing:
    found = size(load, fleet(prefill, decode))
    assert found.feasible
    return found


def slower_prefill(profile: EngineProfile, times: float) -> EngineProfile:
    """Every part of prefill so many times as long."""
    cost = profile.prefill
    return replace(
        profile,
        prefill=replace(cost, a_s=cost.a_s * times, b_s_per_token=cost.b_s_per_token * times),
    )


def slower_decode(profile: EngineProfile, times: float) -> EngineProfile:
    """Every part of a decode step so many times as long."""
    cost = profile.decode
    return replace(
        profile,
        decode=replace(
            cost,
            alpha_s=cost.alpha_s * times,
            beta_s_per_sequence=cost.beta_s_per_sequence * times,
            gamma_s_per_token=cost.gamma_s_per_token * times,
        ),
    )


def cost_per_hour(found: Sizing, asked: FleetSpec) -> float:
    return sum(
        count * asked.roles[role].profile.cost_per_hour for role, count in found.replicas.items()
    )


# -- cheaper work, smaller KV ------------------------------------------------------------------------


def swiftkv(profile: EngineProfile) -> EngineProfile:
    """Prefill compute -50 %, KV -62.5 %: what it holds grows by 1/0.375."""
    kv = profile.kv
    smaller = replace(
        kv,
        bytes_per_token=kv.bytes_per_token * 0.375,
        capacity_tokens=int(kv.capacity_tokens / 0.375),
    )
    return replace(slower_prefill(profile, 0.5), kv=smaller)


def test_swiftkv_halves_prefill_and_the_ratio_with_it() -> None:
    before, after = sized(ENGINE), sized(swiftkv(ENGINE))

    assert after.replicas[P] / before.replicas[P] == pytest.approx(0.5, abs=0.06)
    assert after.replicas[D] <= before.replicas[D]
    ratios = [found.replicas[P] / found.replicas[D] for found in (before, after)]
    assert ratios[1] / ratios[0] == pytest.approx(0.5, abs=0.06)


def test_swiftkv_gives_back_the_decode_that_only_held_kv() -> None:
    """Where KV is what decode lacks, 62.5 % less of it is nearly as many pods less."""
    small = replace(ENGINE, kv=replace(ENGINE.kv, capacity_tokens=30_000))
    before, after = sized(small), sized(swiftkv(small))

    assert before.replicas[D] > 3 * sized(ENGINE).replicas[D]  # which has room
    assert after.replicas[D] < 0.6 * before.replicas[D]


def test_pdtrim_takes_the_load_off_the_link() -> None:
    """4.95 times less KV to move: as if the link were so much faster."""
    slow = replace(ENGINE, transfer=TransferCost(latency_s=0.0, bandwidth_bytes_per_s=3e9))
    wide = replace(ENGINE, transfer=TransferCost(latency_s=0.0, bandwidth_bytes_per_s=3e9 * 4.95))
    before, after = sized(slow), sized(wide)

    same = before.replicas
    links = [predict(LOAD, fleet(each), same).utilisation["link"] for each in (slow, wide)]
    assert links[0] / links[1] == pytest.approx(4.95, rel=0.01)
    assert sum(after.replicas.values()) < sum(before.replicas.values())


def test_layered_prefill_spares_what_chunks_pay_again() -> None:
    """Chunks of 512 tokens load the weights four times for 2000; groups of layers once."""
    heavy = replace(ENGINE, prefill=replace(ENGINE.prefill, a_s=0.03), batch_cap=256)
    chunked, layered = (replace(heavy, batch_tokens=tokens) for tokens in (512, 8192))
    before, after = sized(chunked), sized(layered)

    assert after.replicas[P] < before.replicas[P]
    assert after.replicas[D] == before.replicas[D]


# -- roles that share a GPU, or do not ----------------------------------------------------------------


def semi_pd(share: float) -> FleetSpec:
    """Both roles on each GPU, by shares of its SMs, KV in place: as many of one as of the other.

    Prefill is bound by compute and as slow as its share is small; decode is bound by memory, and takes
    half of what is missing (an assumption: semi-PD publishes no such curve).
    """
    here = replace(ENGINE, transfer=replace(ENGINE.transfer, bandwidth_bytes_per_s=1e15))
    decode = slower_decode(here, (1 + 1 / (1 - share)) / 2)
    one = RatioBounds(lowest=(1, 1), highest=(1, 1))
    return replace(fleet(slower_prefill(here, 1 / share), decode, tpot_s=0.06), ratio=one)


def gpus(share: float, load: Demand) -> int:
    return size(load, semi_pd(share)).replicas[P]


def test_semi_pd_has_a_best_share_and_longer_prompts_move_it_up() -> None:
    shares = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
    chat = demand(rate_rps=60.0, input_tokens=500.0, output_tokens=600.0)
    code = demand(rate_rps=60.0, input_tokens=2000.0, output_tokens=300.0)
    needed = {
        name: [gpus(share, load) for share in shares]
        for name, load in (("chat", chat), ("code", code))
    }
    best = {name: shares[counts.index(min(counts))] for name, counts in needed.items()}

    assert best["chat"] < best["code"]
    assert needed["code"][0] > min(needed["code"])
    assert needed["chat"][-1] > min(needed["chat"])


def with_encode(profile: EngineProfile, encode_s: float) -> EngineProfile:
    """Encode on the prefill pods: every prompt is so much longer in hand."""
    return replace(profile, prefill=replace(profile.prefill, a_s=profile.prefill.a_s + encode_s))


def test_encode_on_the_prefill_pods_asks_for_what_it_takes() -> None:
    """EPD-Serve's (E-P)-D: 50 ms of encoding beside 190 of prefill, at 100 a second: five pods' work."""
    apart, together = sized(ENGINE), sized(with_encode(ENGINE, 0.05))

    assert 4 <= together.replicas[P] - apart.replicas[P] <= 7
    assert together.replicas[D] == apart.replicas[D]


def test_unifiedserves_shared_gpu_saves_the_encoder_that_would_idle() -> None:
    """At one request a second a pod of its own would encode a twentieth of its time."""
    quiet = replace(LOAD, rate_rps=1.0)
    apart, together = (
        sized(each, load=quiet).replicas[P] for each in (ENGINE, with_encode(ENGINE, 0.05))
    )

    assert together < apart + 1


# -- roles on other accelerators ----------------------------------------------------------------------


def test_spads_chips_cost_less_for_as_many() -> None:
    """Prefill chips 8 % faster at 52 % less, decode chips at 97 % of the pace, taken as 28 % less.

    SPAD's clusters are 19 to 41 % cheaper.
    """
    prefill = replace(slower_prefill(PRICED, 1 / 1.08), cost_per_hour=4.0 * 0.48)
    decode = replace(slower_decode(PRICED, 1 / 0.97), cost_per_hour=4.0 * 0.72)
    plain, chips = fleet(PRICED), fleet(prefill, decode)
    before, after = size(LOAD, plain), size(LOAD, chips)

    assert after.replicas[P] <= before.replicas[P]
    assert after.replicas[D] >= before.replicas[D]
    assert 0.5 < cost_per_hour(after, chips) / cost_per_hour(before, plain) < 0.81


def test_laminas_memory_devices_hold_more_for_less() -> None:
    """Attention on devices of much memory: three times the KV and 10 % longer steps, at the same price."""
    small = replace(PRICED, kv=replace(PRICED.kv, capacity_tokens=30_000))
    roomy = replace(slower_decode(small, 1.1), kv=replace(small.kv, capacity_tokens=90_000))
    before, after = sized(small), sized(small, roomy)

    assert after.replicas[D] < before.replicas[D]
    assert after.replicas[P] == before.replicas[P]


def test_infinite_llm_serves_what_no_pod_holds() -> None:
    """KV lent by three other pods: a context of 150 000 tokens fits, four pods' worth of accelerators."""
    small = replace(ENGINE, kv=replace(ENGINE.kv, capacity_tokens=100_000))
    pooled = replace(small, accelerators=4, kv=replace(small.kv, capacity_tokens=400_000))
    long = Demand(rate_rps=0.2, lengths=from_means(150_000, 300))
    alone, lent = (size(long, fleet(each, ttft_s=30.0, tpot_s=0.1)) for each in (small, pooled))

    assert not alone.feasible
    assert lent.feasible


# -- demands that end earlier -------------------------------------------------------------------------


def test_pd_device_caps_what_decode_has_to_do() -> None:
    """The device takes over after 50 tokens: decode's work is a sixth, prefill's the same."""
    lengths = LOAD.lengths
    capped = replace(
        LOAD, lengths=replace(lengths, output_tokens=lengths.output_tokens.clip(max=50.0))
    )
    before, after = sized(ENGINE), sized(ENGINE, load=capped)

    assert after.replicas[P] == before.replicas[P]
    assert after.replicas[D] < before.replicas[D] / 3


def test_dlers_shorter_answers_free_decode_pods() -> None:
    """70 % fewer output tokens: decode falls by about 3.3 times, prefill does not."""
    lengths = LOAD.lengths
    shorter = replace(LOAD, lengths=replace(lengths, output_tokens=lengths.output_tokens * 0.3))
    heavy = replace(LOAD, rate_rps=300.0)
    before = sized(ENGINE, load=heavy)
    after = sized(ENGINE, load=replace(shorter, rate_rps=300.0))

    assert after.replicas[P] == pytest.approx(before.replicas[P], abs=1)
    assert before.replicas[D] / after.replicas[D] == pytest.approx(3.3, rel=0.2)
