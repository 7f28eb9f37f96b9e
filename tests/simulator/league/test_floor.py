"""The floor: by hand, and below whatever the simulator does."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.examples import fewer
from tests.fakes.simulated import ROUND, requests, scenario

from tandem.api.role import Role
from tandem.perf.engine_profile import EngineProfile
from tandem.perf.generated import generated
from tandem.perf.step_times import StepTimes
from tandem.planner.spec import FleetSpec, RoleSpec, Slo
from tandem.simulator.features import EngineFeatures
from tandem.simulator.league import floor
from tandem.simulator.league.least import least
from tandem.simulator.run import simulate
from tandem.traces.model import Trace
from tandem.traces.request import TraceRequest
from tandem.traces.statistics import block_tokens


def fleet(
    profile: EngineProfile = ROUND,
    attainment: float = 1.0,
    ttft_s: float = 10.0,
    tpot_s: float = 0.06,
) -> FleetSpec:
    role = RoleSpec(profile=profile, min_replicas=0)
    slo = Slo(ttft_s=ttft_s, tpot_s=tpot_s, attainment=attainment)
    return FleetSpec(slo=slo, roles=dict.fromkeys(Role, role))


def charges(trace: Trace, spec: FleetSpec) -> floor.Work:
    return floor.work(trace, spec, dict.fromkeys(Role, spec.roles[Role.PREFILL].profile))


def test_one_request_by_hand() -> None:
    """100 tokens in, 3 out; α 10 ms, β 1 ms, γ 10 µs, a 10 ms that is not charged, b 1 ms.

    Prefill 100 ms. Two gaps at contexts 101 and 102: w = 2.01 and 2.02 ms, and α at the pace of 60 ms:
    10 ms (√w)²-sum / (2 · 50 ms), whose roots' integral from 100 to 102 gives 0.806 ms. The first step,
    w = 2 ms, and its part of α in the fullest batch (256 ms + 26 ms of 256 contexts of 103): 71 µs.
    """
    work = charges(requests((0, 100, 3)), fleet())

    fullest_s = 0.256 + 1e-5 * 256 * 103
    pace_s = 0.010 * (2 * np.sqrt(0.00201)) ** 2 / (2 * 0.050)
    by_hand_s = 0.00403 + pace_s + 0.002 * (1 + 0.010 / fullest_s)
    assert work.prefill_s[0] == pytest.approx(0.1)
    assert work.decode_s[0] == pytest.approx(by_hand_s, rel=1e-4)


def test_only_the_cheapest_share_counts_and_no_fewer_pods_than_there_must_be() -> None:
    trace = requests((0, 100, 1), (0, 300, 1), (0, 200, 1), (0, 5000, 1))
    work = charges(trace, fleet())
    spec = fleet(attainment=0.75)
    per_request = np.sort(work.prefill_s + work.decode_s) * ROUND.accelerators

    assert floor.gpu_hours(work, spec, 0.0) == pytest.approx(per_request[:3].sum() / 3600)
    one_each = replace(spec, roles={r: replace(of, min_replicas=1) for r, of in spec.roles.items()})
    assert floor.gpu_hours(work, one_each, 3600.0) == pytest.approx(2 * ROUND.accelerators)


def test_a_request_that_no_fleet_can_pace_has_no_price() -> None:
    work = charges(requests((0, 10, 5), (0, 10, 1)), fleet(tpot_s=0.009))

    assert np.isinf(work.decode_s[0])
    assert np.isfinite(work.decode_s[1])


def test_a_shared_block_is_charged_once() -> None:
    """Blocks of 512 tokens: half of the first, and the other 488 tokens."""
    shared = Trace(
        name="shared",
        requests=tuple(
            TraceRequest(arrival_s=0.0, input_tokens=1000, output_tokens=1, hash_ids=(7, last))
            for last in (8, 9)
        ),
    )

    assert charges(shared, fleet()).prefill_s == pytest.approx([0.744, 0.744])


def test_tokens_of_no_whole_block_are_each_prompts_own() -> None:
    """100 tokens of blocks of 16, of which 6 are told; the last 4 belong to nobody else."""
    ids = (1, 2, 3, 4, 5, 6)
    rows = [
        TraceRequest(arrival_s=0.0, input_tokens=100, output_tokens=1, hash_ids=ids)
        for _ in range(3)
    ]

    of_three = charges(Trace(name="tails", requests=tuple(rows)), fleet()).prefill_s
    assert of_three == pytest.approx([0.096 / 3 + 0.004] * 3)


def test_pods_by_bin_hold_all_of_the_work() -> None:
    work = charges(requests((0, 100, 50), (20_000, 100, 100)), fleet())
    prefill, decode = floor.pods_by_bin(work, np.array([0.0, 20.0]), 60.0)

    assert prefill.sum() * floor.BIN_S == pytest.approx(work.prefill_s.sum())
    assert decode.sum() * floor.BIN_S == pytest.approx(work.decode_s.sum())
    assert prefill[0] == pytest.approx(0.1 / floor.BIN_S)


REQUESTS = st.lists(
    st.tuples(st.integers(0, 20_000), st.integers(1, 3000), st.integers(1, 400)),
    min_size=1,
    max_size=40,
)


@fewer(60)
@given(
    REQUESTS,
    st.integers(1, 3),
    st.integers(1, 3),
    st.sampled_from([0.03, 0.06, 0.2]),
    st.sampled_from(list(Role)),
)
def test_no_run_costs_less_than_the_floor_of_what_it_reached(
    rows: list[tuple[int, int, int]], prefill: int, decode: int, tpot_s: float, first: Role
) -> None:
    profile = replace(ROUND, first_token=first)
    trace = requests(*sorted(rows))
    slo = Slo(ttft_s=5.0, tpot_s=tpot_s)
    replicas = {Role.PREFILL: prefill, Role.DECODE: decode}
    asked = scenario(trace, replicas, profile=profile)
    run = simulate(replace(asked, spec=replace(asked.spec, slo=slo)))
    spec = fleet(profile, attainment=run.attainment, ttft_s=5.0, tpot_s=tpot_s)

    assert floor.gpu_hours(charges(trace, spec), spec, 0.0) <= run.gpu_hours * (1 + 1e-9)


CHAINS = st.lists(
    st.tuples(st.integers(0, 8000), st.integers(0, 3), st.integers(1, 40), st.integers(1, 30)),
    min_size=1,
    max_size=25,
)


@fewer(60)
@given(CHAINS, st.integers(1, 2), st.sampled_from([ROUND, generated(ROUND)]))
def test_no_run_that_keeps_prefixes_costs_less_than_its_floor(
    rows: list[tuple[int, int, int, int]], pods: int, true: StepTimes
) -> None:
    """Prompts of four conversations, each a beginning of its own, cut anywhere."""
    made = [
        TraceRequest(
            arrival_s=ms / 1000,
            input_tokens=blocks * 16 - ms % 16,
            output_tokens=out,
            hash_ids=(*(1000 * chain + each for each in range(blocks - 1)), -ms * 1000 - blocks),
        )
        for ms, chain, blocks, out in sorted(rows)
    ]
    trace = Trace(name="chains", requests=tuple(made))
    times = dict.fromkeys(Role, true)
    engines = EngineFeatures(prefix_block_tokens=block_tokens(trace) or 0)
    asked = scenario(trace, dict.fromkeys(Role, pods), engines=engines, times=times)
    run = simulate(asked)
    spec = fleet(attainment=run.attainment, ttft_s=2.0, tpot_s=0.05)

    assert floor.gpu_hours(floor.work(trace, spec, times), spec, 0.0) <= run.gpu_hours * (1 + 1e-9)


def test_the_plane_below_a_table_is_below_it() -> None:
    times = generated(ROUND)
    spec = fleet()
    trace = requests(*((i, 10 * i + 10, i % 90 + 1) for i in range(300)))
    costs = least(times, ROUND, np.array([10.0, 3000.0]), 3200.0)

    for batch in (1, 3, 17, 100, 256):
        for context in (1, 50, 700, 3100):
            plane_s = costs.alpha_s + costs.beta_s * batch + costs.gamma_s * batch * context
            assert plane_s <= times.step_s((), batch, batch * context) * (1 + 2e-3)
    tabled = floor.work(trace, spec, dict.fromkeys(Role, times))
    assert tabled.decode_s.sum() == pytest.approx(charges(trace, spec).decode_s.sum(), rel=0.2)
