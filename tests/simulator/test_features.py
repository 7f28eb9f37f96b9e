"""What a fleet can do besides the plain path, each against a sum by hand.

`ROUND`: prefill 10 ms + 1 a token, transfer 5 + 1 a token, a step of one sequence 11 + 0.01 a token.
"""

from dataclasses import replace
from typing import Any

import pytest
from tests.fakes.simulated import ROUND, requests, scenario, scripted, with_kv

from tandem.api.role import Role
from tandem.perf.engine_profile import KvCache
from tandem.planner.cells import Cells
from tandem.planner.lengths import representative
from tandem.planner.observation import LengthCounts, Missing, Observation
from tandem.planner.spec import RoleSpec
from tandem.simulator.features import (
    ClusterFeatures,
    Encode,
    EngineFeatures,
    Failure,
    Handover,
    Pool,
)
from tandem.simulator.flight import Outcome
from tandem.simulator.result import Result
from tandem.simulator.run import simulate
from tandem.simulator.starts import StartTimes
from tandem.simulator.table import Ended
from tandem.traces.model import Trace

FREE_LINK = replace(ROUND, transfer=replace(ROUND.transfer, bandwidth_bytes_per_s=1e12))
LINK_MS = 5  # of FREE_LINK
P, D = Role.PREFILL, Role.DECODE


def played(trace: Trace, replicas: tuple[int, int] = (1, 1), **asked: Any) -> Result:
    return simulate(scenario(trace, dict(zip((P, D), replicas, strict=True)), **asked))


def by_arrival(result: Result) -> list[Ended]:
    return sorted(result.flights, key=lambda flight: flight.position)


# -- hand-over --------------------------------------------------------------------------------------


def test_pushed_kv_leaves_its_last_layer_to_wait_for() -> None:
    """Prefill 100 ms, transfer 95 meanwhile: through but for a quarter of 95, then a step of 11.90."""
    (flight,) = by_arrival(played(requests((0, 90, 2)), handover=Handover(push_layers=4)))
    assert flight.pulled_s == pytest.approx(0.100 + 0.095 / 4)
    assert flight.first_token_s == pytest.approx(0.100 + 0.095 / 4 + 0.0119)


def test_pushed_kv_that_is_slower_than_the_prefill_goes_on_after_it() -> None:
    """Links ten times as slow: 905 ms, of which 100 pass during the prefill."""
    slow = replace(ROUND, transfer=replace(ROUND.transfer, bandwidth_bytes_per_s=1e5))
    asked: dict[str, Any] = {"handover": Handover(push_layers=4), "profile": slow}
    (flight,) = by_arrival(played(requests((0, 90, 2)), **asked))
    assert flight.pulled_s == pytest.approx(0.905)


# -- encode ---------------------------------------------------------------------------------------


def with_images(*encode_tokens: int) -> Trace:
    """Prompts of 90 tokens at once, so many of each made of images: 20 ms and 1 ms for each of them."""
    trace = requests(*((0, 90, 2) for _ in encode_tokens))
    rows = zip(trace.requests, encode_tokens, strict=True)
    return replace(trace, requests=tuple(replace(r, encode_tokens=n) for r, n in rows))


def test_encode_pods_take_one_request_at_a_time_and_prompts_without_images_pass_them_by() -> None:
    """Encoded at 50 and, after it, at 120 ms; prefill of each takes 100, transfer 95, a step 11.90."""
    encode = Encode(fixed_s=0.020, s_per_token=0.001, pods=1)
    first, second, text = by_arrival(played(with_images(30, 50, 0), (3, 3), encode=encode))
    assert [first.encoded_s, second.encoded_s, text.encoded_s] == [
        0.050,
        pytest.approx(0.120),
        None,
    ]
    assert [first.prefilled_s, second.prefilled_s] == pytest.approx([0.150, 0.220])
    assert first.ttft_s == pytest.approx(0.050 + 0.100 + 0.095 + 0.0119)
    assert text.prefilled_s == pytest.approx(0.100)


def test_encode_pods_work_beside_each_other_and_cost_all_the_time() -> None:
    """Two of one accelerator each, beside a prefill and a decode pod of two."""
    encode = Encode(fixed_s=0.020, s_per_token=0.001, pods=2)
    result = played(with_images(30, 50), encode=encode)
    assert [f.encoded_s for f in by_arrival(result)] == pytest.approx([0.050, 0.070])
    latencies = result.latencies()
    assert latencies["encode_s"].mean == pytest.approx(0.060)
    assert latencies["queue_s"].mean == pytest.approx((0.0 + 0.150 - 0.070) / 2)
    lasted_s = max(f.ended_s or 0.0 for f in result.flights)
    assert result.gpu_hours == pytest.approx((2 + 2 + 2) * lasted_s / 3600)
    assert result.cost == pytest.approx((3 + 3 + 2 * 1.5) * lasted_s / 3600)
    assert {role: pods.max for role, pods in result.replicas.items()} == {P: 1, D: 1}


def test_prefill_pods_that_share_encode_in_the_step_that_begins_the_prompt() -> None:
    """50 ms more, and the GPU does nothing else meanwhile: 150, then 100 of a prompt without images."""
    encode = Encode(fixed_s=0.020, s_per_token=0.001)
    result = played(with_images(30, 0), encode=encode)
    assert [f.prefilled_s for f in by_arrival(result)] == pytest.approx([0.150, 0.250])
    assert result.gpu_hours == pytest.approx(4 * by_arrival(result)[1].ended_s / 3600)  # type: ignore[operator]


# -- engines ----------------------------------------------------------------------------------------


def test_swapped_kv_comes_back_over_the_host_and_is_not_recomputed() -> None:
    """As in the engine's own tests, two answers of 60 tokens in a cache of 96: one has to make room.

    It has 48 tokens by then. Recomputed they take 10 + 48 ms; swapped they are back in a twentieth of one,
    and a step of 11.48 follows.
    """
    trace = requests((0, 30, 60), (0, 30, 60))
    profile = with_kv(FREE_LINK, 96)
    recomputed = played(trace, profile=profile)
    swapped = played(trace, profile=profile, engines=EngineFeatures(swap_bytes_per_s=1e9))
    saved_s = recomputed.flights[-1].ended_s - swapped.flights[-1].ended_s  # type: ignore[operator]
    assert saved_s == pytest.approx(0.0465, abs=0.005)
    assert swapped.count(Outcome.FINISHED) == 2


PREFIXES = EngineFeatures(prefix_block_tokens=16)


def hashed(*rows: tuple[float, int, tuple[int, ...]]) -> Trace:
    trace = requests(*((ms, tokens, 2) for ms, tokens, _ in rows))
    with_hashes = zip(trace.requests, rows, strict=True)
    return replace(
        trace, requests=tuple(replace(r, hash_ids=hashes) for r, (_, _, hashes) in with_hashes)
    )


def prefills_s(result: Result) -> list[float]:
    return [f.prefilled_s - f.started_s for f in by_arrival(result)]  # type: ignore[operator]


def test_a_known_prefix_is_not_computed_again() -> None:
    """Of 96 tokens, 64 (4 blocks) are known, then all: the last token is always computed."""
    trace = hashed(
        (0, 96, (1, 2, 3, 4, 5, 6)), (1000, 96, (1, 2, 3, 4, 9, 8)), (2000, 96, (1, 2, 3, 4, 5, 6))
    )
    assert prefills_s(played(trace, engines=PREFIXES)) == pytest.approx([0.106, 0.042, 0.011])
    assert prefills_s(played(trace)) == pytest.approx([0.106] * 3)


def test_what_was_cached_is_told_of_each_request_and_to_the_planner() -> None:
    seen: list[Observation] = []
    trace = hashed((0, 96, (1, 2, 3, 4, 5, 6)), (1000, 96, (1, 2, 3, 4, 9, 8)), (2000, 96, ()))
    result = played(trace, engines=PREFIXES, planner=scripted([], seen), interval_s=1.9)
    assert [flight.cached_tokens for flight in by_arrival(result)] == [0, 64, 0]
    lengths = seen[0].traffic.lengths
    assert isinstance(lengths, LengthCounts)
    inputs, cached = representative(96), representative(64)
    assert lengths.cells == Cells.of((inputs, 0, 2, 1.0), (inputs, cached, 2, 1.0))


def test_a_prompt_goes_where_its_prefix_is() -> None:
    trace = hashed((0, 96, (1, 2)), (0, 96, (3, 4)), (1000, 96, (3, 4)), (2000, 96, (1, 2)))
    seconds = prefills_s(played(trace, (2, 1), engines=PREFIXES))
    assert seconds == pytest.approx([0.106, 0.106, 0.074, 0.074])


def test_what_was_used_least_recently_makes_room() -> None:
    """A cache of 8 blocks: the second prompt's 5 leave 3 of the first one's, and its chain begins anew."""
    small = with_kv(ROUND, 128)
    trace = hashed(
        (0, 80, (1, 2, 3, 4, 5)), (1000, 80, (11, 12, 13, 14, 15)), (2000, 80, (1, 2, 3, 4, 5))
    )
    seconds = prefills_s(played(trace, profile=small, engines=PREFIXES))
    assert seconds == pytest.approx([0.090, 0.090, 0.090 - 3 * 0.016])


def test_a_decode_pod_takes_the_prompt_that_no_prefill_pod_would_begin_in_time() -> None:
    """Two prompts of 1,510 ms at once, TTFT 2 s: one is prefilled, one deflected in 75 chunks of 20 tokens.

    A chunk takes 30 ms alone, and 20 more than a decode step: with one of 28.6 ms it is within TPOT. The
    two decode steps of the other one come between: 16 ms each beyond the chunk's own time.
    """
    trace = requests((0, 1500, 2), (0, 1500, 2))
    loose: dict[str, Any] = {"profile": FREE_LINK, "order": "feasible-first"}
    first, second = by_arrival(
        played(trace, **loose, engines=EngineFeatures(deflect_chunk_tokens=20))
    )
    assert first.pulled_s is not None
    assert second.pulled_s is None
    assert second.started_s == 0.0
    assert second.first_token_s == pytest.approx(75 * 0.030 + 2 * 0.016, abs=0.001)
    late = by_arrival(played(trace, **loose))[1]
    assert late.started_s == pytest.approx(first.prefilled_s)


def test_no_prompt_is_deflected_where_it_would_cost_tpot() -> None:
    """Chunks of 100 tokens take 110 ms, TPOT is 50."""
    trace = requests((0, 1500, 2), (0, 1500, 2))
    engines = EngineFeatures(deflect_chunk_tokens=100)
    asked: dict[str, Any] = {"profile": FREE_LINK, "order": "feasible-first", "engines": engines}
    assert by_arrival(played(trace, **asked))[1].pulled_s is not None


def test_what_a_leaving_decode_pod_decodes_goes_on_elsewhere_after_one_gap() -> None:
    """Two answers of 200 tokens on two pods, 12 ms a token from 195 on. At 1 s one pod is told to go.

    66 tokens are out by then; the 155 in its cache take 5 + 155 ms, and the pod is gone.
    """
    trace = requests((0, 90, 200), (0, 90, 200))
    asked: dict[str, Any] = {"interval_s": 0.5, "engines": EngineFeatures(migrate=True)}
    result = played(trace, (2, 2), planner=scripted([(1.0, D, 1)]), **asked)
    then = [t for t in result.over_time if t.role is D]
    gone_s = min(t.t_s for t in then if t.pods.ready + t.pods.draining == 1)
    assert gone_s == pytest.approx(1.160, abs=0.003)
    assert result.count(Outcome.FINISHED) == 2
    assert result.itl_s.mean is not None
    spans_s = (result.table.e2e_s - result.table.ttft_s).sum()
    assert result.itl_s.mean * 398 == pytest.approx(spans_s), "no gap is lost, none counted twice"


def test_pods_and_prompts_differ_by_as_much_as_was_asked_for() -> None:
    trace = requests(*((1000 * i, 90, 2) for i in range(400)))
    seconds = prefills_s(played(trace, engines=EngineFeatures(prompt_spread=0.3)))
    mean = sum(seconds) / 400
    deviation = (sum((s - mean) ** 2 for s in seconds) / 399) ** 0.5
    assert [mean, deviation / mean] == pytest.approx([0.100, 0.3], rel=0.1)
    slow = {
        prefills_s(played(requests((0, 90, 2)), seed=seed, engines=EngineFeatures(pod_spread=0.2)))[
            0
        ]
        for seed in range(5)
    }
    assert len(slow) == 5


# -- the cluster ------------------------------------------------------------------------------------


def test_a_dead_decode_pod_fails_what_streams_and_lets_the_rest_begin_again() -> None:
    """At 240 ms r1 streams (first token at 206.9), r2 pulls: r2 is prefilled once more, from 240 on."""
    trace = requests((0, 90, 50), (100, 90, 2))
    dies = ClusterFeatures(failures=(Failure(at_s=0.240, role=D),))
    first, second = by_arrival(played(trace, (1, 2), cluster=dies))
    assert [first.outcome, second.outcome] == [Outcome.FAILED, Outcome.FINISHED]
    assert first.ended_s == pytest.approx(0.240)


def test_a_dead_prefill_pod_loses_what_was_not_pulled() -> None:
    """At 150 ms its prompt is on its way: prefilled again on the other pod until 250, pulled until 345."""
    dies = ClusterFeatures(failures=(Failure(at_s=0.150, role=P),))
    (flight,) = by_arrival(played(requests((0, 90, 2)), (2, 1), cluster=dies))
    assert flight.pulled_s == pytest.approx(0.345)
    assert flight.outcome is Outcome.FINISHED


def test_a_dead_pod_is_started_anew_and_both_cost() -> None:
    dies = ClusterFeatures(failures=(Failure(at_s=1.0, role=P),))
    result = played(requests((0, 90, 2), (9000, 90, 2)), cluster=dies, lead_time_s=2.0)
    ready = [(t.t_s, t.pods.ready) for t in result.over_time if t.role is P]
    assert ready[-1] == (3.0, 1)
    assert min(count for _, count in ready) == 0
    assert result.replicas[P].mean == pytest.approx(1.0)


def test_a_node_takes_all_its_pods_along() -> None:
    """Pods of two accelerators on nodes of four: decode-1 stands beside prefill-2's neighbour."""
    goes = ClusterFeatures(node_accelerators=4, failures=(Failure(at_s=1.0, kind="node", role=P),))
    result = played(requests((0, 90, 2), (9000, 90, 2)), (2, 2), cluster=goes, lead_time_s=2.0)
    lost = [t.pods.ready for t in result.over_time if t.role is P and 1.0 <= t.t_s < 3.0]
    assert lost[-1] == 0
    assert min(t.pods.ready for t in result.over_time if t.role is D and t.t_s >= 1.0) == 2


def test_a_slow_link_slows_pulls_while_it_lasts() -> None:
    """From 100 ms on a tenth of the pace: 95 ms of transfer, 20 done in 200 ms, the other 75 alone."""
    slow = ClusterFeatures(
        failures=(Failure(at_s=0.100, kind="link", role=D, speed=0.1, lasts_s=0.200),)
    )
    (flight,) = by_arrival(played(requests((0, 90, 2)), cluster=slow))
    assert flight.pulled_s == pytest.approx(0.100 + 0.200 + 0.075)


def test_starts_are_drawn_stage_by_stage_with_the_mean_and_spread_of_each() -> None:
    stages = (("image", 30.0), ("weights", 60.0), ("warm", 10.0))
    roles = {D: RoleSpec(profile=replace(ROUND, cold_start_s=stages), lead_time_s=50.0)}
    draws = [
        StartTimes(roles, 0.5, seed).draw_s(D, number) for seed in range(40) for number in range(50)
    ]
    mean = sum(draws) / len(draws)
    variance = sum((s - mean) ** 2 for s in draws) / len(draws)
    expected = sum((0.5 * seconds / 2) ** 2 for _, seconds in stages)
    assert [mean, variance] == pytest.approx([50.0, expected], rel=0.1)
    assert StartTimes(roles, 0.5, 1).draw_s(D, 7) == StartTimes(roles, 0.5, 1).draw_s(D, 7)


def test_a_warm_pod_is_ready_soon_and_another_is_warmed_in_its_place() -> None:
    """Asked for at 30 s, when the warm one is there: Ready at 31, not at 40."""
    planner = scripted([(30.0, P, 2)], warm={P: 1})
    result = played(
        requests((0, 90, 2), (60_000, 90, 2)),
        planner=planner,
        lead_time_s=10.0,
        cluster=ClusterFeatures(warm_s=1.0),
    )
    ready = {t.pods.ready: t.t_s for t in reversed(result.over_time) if t.role is P}
    assert ready[2] == 31.0
    assert result.replicas[P].max == 3
    assert result.replicas[P].mean == pytest.approx((60.3 + 55 + 30) / 60.3, rel=0.01)


def test_a_pod_that_switches_its_role_finishes_first_and_costs_all_the_time() -> None:
    """Told at 0.1 s while it prefills until 0.5: its KV is gone at 0.995, it decodes from 1.495 on."""
    planner = scripted([], switches=[(0.1, P, D)])
    trace = requests((0, 490, 2), (0, 490, 2), (5000, 90, 2))
    asked: dict[str, Any] = {
        "planner": planner,
        "interval_s": 0.1,
        "switch_s": 0.5,
    }
    result = played(trace, (2, 1), **asked)
    ready = {t.pods.ready: t.t_s for t in reversed(result.over_time) if t.role is D}
    assert 1.4 < ready[2] < 2.1
    assert result.changes[0].role is P
    assert result.switches == 1
    assert result.gpu_hours == pytest.approx(3 * 2 * result.flights[-1].ended_s / 3600)  # type: ignore[operator]


def test_a_scrape_that_failed_is_missing_and_its_counts_come_with_the_next() -> None:
    seen: list[Observation] = []
    trace = requests(*((100 * i, 90, 2) for i in range(200)))
    cluster = ClusterFeatures(missed_scrapes=0.5)
    played(trace, (3, 3), planner=scripted([], seen), interval_s=1.0, cluster=cluster)
    arrivals = [each.traffic.arrivals for each in seen]
    failed = [reading for reading in arrivals if isinstance(reading, Missing)]
    assert 0 < len(failed) < len(arrivals)
    assert {reading.reason for reading in failed} == {"the scrape failed"}
    counted = sum(r.value for r in arrivals if not isinstance(r, Missing))
    assert counted > 150


def test_pods_come_from_the_pools_of_their_role_first() -> None:
    """Two cheap ones of one accelerator, then the role's own of two."""
    cheap = replace(ROUND, accelerators=1, cost_per_hour=1.0)
    pools = {D: (Pool(profile=cheap, most=2),)}
    result = played(requests((0, 90, 2), (3_600_000, 90, 2)), (1, 3), pools=pools)
    assert result.gpu_hours == pytest.approx(2 + 2 * 1 + 2, rel=1e-3)
    assert result.cost == pytest.approx(3 + 2 * 1 + 3, rel=1e-3)


def test_the_pod_whose_own_iteration_is_shortest_decodes() -> None:
    slow = replace(ROUND, decode=replace(ROUND.decode, alpha_s=0.030))
    pools = {D: (Pool(profile=slow, most=1),)}
    (flight,) = by_arrival(played(requests((0, 90, 2)), (1, 2), pools=pools))
    assert flight.first_token_s == pytest.approx(0.100 + 0.095 + 0.0119)


def test_a_class_goes_before_another() -> None:
    trace = requests((0, 90, 2), (10, 90, 2), (20, 90, 2))
    classes = ["", "batch", "chat"]
    named = [replace(r, class_name=c) for r, c in zip(trace.requests, classes, strict=True)]
    asked: dict[str, Any] = {"order": "class", "priorities": {"chat": 0, "batch": 1}}
    flights = by_arrival(played(replace(trace, requests=tuple(named)), **asked))
    assert [f.started_s for f in flights] == pytest.approx([0.0, 0.2, 0.1])


def test_a_small_cache_of_odd_blocks_still_holds_what_fits() -> None:
    profile = replace(ROUND, kv=KvCache(bytes_per_token=1000, capacity_tokens=1000, block_tokens=7))
    assert played(requests((0, 900, 50)), profile=profile).count(Outcome.FINISHED) == 1
