"""What KV takes to come corrects the bandwidth of a profile, and no poisoned figure does."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.planner.builders import D, P, pair, spec

from tandem.planner import transfers
from tandem.planner.calibration import calibrated, observed
from tandem.planner.cells import Cells
from tandem.planner.demand import Demand, from_requests
from tandem.planner.memory import from_json, to_json
from tandem.planner.model import Memory, Plan
from tandem.planner.observation import (
    Figure,
    LengthCounts,
    Missing,
    Observation,
    PodCounts,
    Reading,
    Traffic,
)
from tandem.planner.plan import plan
from tandem.planner.queueing.tandem import Tandem
from tandem.planner.spec import FleetSpec
from tandem.simulator.run import simulate
from tandem.simulator.scenario import Scenario
from tandem.traces.model import Trace
from tandem.traces.request import TraceRequest

SPEC = spec()
PROFILE = SPEC.roles[D].profile
CELLS = Cells.of((1000, 0, 1, 8.0), (4000, 0, 1, 2.0))
MEAN_BYTES = 1600 * PROFILE.kv.bytes_per_token
INTERVAL_S, DECODES = 5.0, 4


def told_s(slower: float, requests: float = 10.0) -> float:
    """What a transfer takes on average beside the others: (1 + N) times as long, N = what takes it a second."""
    alone_s = (
        PROFILE.transfer.latency_s + slower * MEAN_BYTES / PROFILE.transfer.bandwidth_bytes_per_s
    )
    return alone_s / (1 - requests * alone_s / INTERVAL_S / DECODES)


def look(slower: float, *, at_s: float = 0.0, **others: Any) -> Observation:
    """Ten transfers in five seconds, over links whose bytes take longer than the profile says by a factor."""
    told = {
        "arrivals": Figure(10.0),
        "prompts": LengthCounts(cells=CELLS),
        "transfer_s": Figure(told_s(slower)),
    }
    pods = dict.fromkeys((P, D), PodCounts(desired=DECODES, ready=DECODES))
    traffic = Traffic(interval_s=INTERVAL_S, **{**told, **others})
    return Observation(now_s=at_s, pods=pods, traffic=traffic, revision="one")


def learnt(slower: float, looks: int = 20) -> Memory:
    memory = Memory()
    for turn in range(looks):
        memory = observed(look(slower, at_s=INTERVAL_S * turn), memory, SPEC)
    return memory


def bandwidth(memory: Memory, asked: FleetSpec = SPEC) -> float:
    """Of the fleet as it was seen, as a share of what its profile says."""
    now, told = (fleet.roles[D].profile.transfer for fleet in (calibrated(asked, memory), asked))
    return now.bandwidth_bytes_per_s / told.bandwidth_bytes_per_s


@given(st.floats(0.5, 2.0))
def test_a_bandwidth_that_is_wrong_by_up_to_two_is_corrected_within_200_requests(
    slower: float,
) -> None:
    assert bandwidth(learnt(slower)) == pytest.approx(1 / slower, rel=0.1)


def test_a_right_profile_stays_as_it_is() -> None:
    assert calibrated(SPEC, Memory()) == SPEC
    assert bandwidth(learnt(1.0)) == pytest.approx(1.0)


def test_nothing_else_of_a_profile_moves() -> None:
    before, after = (fleet.roles[D].profile for fleet in (SPEC, calibrated(SPEC, learnt(1.7))))
    assert replace(after, transfer=before.transfer) == before
    assert after.transfer.latency_s == before.transfer.latency_s


def test_kv_that_is_pushed_tells_nothing_of_its_link() -> None:
    pushed = replace(PROFILE, transfer=replace(PROFILE.transfer, push_layers=32))
    roles = {role: replace(row, profile=pushed) for role, row in SPEC.roles.items()}
    asked = replace(SPEC, roles=roles)

    assert bandwidth(observed(look(2.0), Memory(), asked), asked) == 1.0


POISON: list[Reading] = [
    Missing("no KV came in the interval"),
    Figure(float("nan")),
    Figure(float("inf")),
    Figure(-1.0),
    Figure(0.0),
    Figure(1e9),
    Figure(told_s(2.0), age_s=1e6),
    Figure(told_s(0.01)),
    Figure(told_s(50.0)),
]


@pytest.mark.parametrize("reading", POISON)
def test_a_poisoned_figure_moves_nothing(reading: Reading) -> None:
    before = learnt(1.3)
    assert bandwidth(
        observed(look(1.0, at_s=900.0, transfer_s=reading), before, SPEC)
    ) == bandwidth(before)


numbers = st.one_of(
    st.sampled_from([float("nan"), float("inf"), -float("inf"), -1.0, 1e9, 1e300]),
    st.floats(max_value=-1e-6),
)
ages = st.sampled_from([0.0, 1e6, -5.0, float("nan"), float("inf")])


@given(st.builds(Figure, numbers, ages), st.floats(allow_nan=True), st.integers(0, 10**9))
def test_a_look_of_nothing_but_poison_moves_nothing(
    reading: Figure, count: float, tokens: int
) -> None:
    before = learnt(1.3)
    cells = LengthCounts(cells=Cells.of((tokens, 0, 1, count), (0, 0, tokens, 1.0)))
    poison = look(1.0, at_s=900.0, transfer_s=reading, arrivals=reading, prompts=cells)

    assert bandwidth(observed(poison, before, SPEC)) == bandwidth(before)


@given(st.integers(0, 10**9), st.floats(allow_nan=True), st.integers(-5, 5))
def test_prompts_that_are_none_leave_a_bandwidth_that_could_be(
    tokens: int, count: float, pods: int
) -> None:
    seen = look(1.0, prompts=LengthCounts(cells=Cells.of((tokens, 0, 1, count))))
    seen = replace(seen, pods={D: PodCounts(desired=pods, ready=pods)})

    assert 0.2 <= bandwidth(observed(seen, learnt(1.3), SPEC)) <= 5.0


@pytest.mark.parametrize("at_s", [pytest.param(95.0, id="twice"), pytest.param(50.0, id="late")])
def test_figures_that_were_seen_or_overtaken_move_nothing(at_s: float) -> None:
    before = learnt(1.3)
    assert observed(look(3.0, at_s=at_s), before, SPEC) == before


def test_one_odd_interval_moves_little() -> None:
    after = observed(look(3.0, at_s=900.0), learnt(1.0, looks=100), SPEC)
    assert bandwidth(after) == pytest.approx(1.0, rel=0.06)


def test_what_was_learnt_survives_a_restart_and_an_older_memory_has_none() -> None:
    memory = learnt(1.7)
    stored, why = from_json(to_json(memory))
    older = to_json(memory).replace('"links"', '"other"')

    assert not why
    assert bandwidth(stored) == pytest.approx(bandwidth(memory))
    assert from_json(older)[0].links == Memory().links


def test_a_link_that_was_measured_anew_forgets_its_own_errors_alone() -> None:
    memory = replace(learnt(2.0), cells=CELLS)
    mended = calibrated(SPEC, memory)
    after = observed(look(1.0, at_s=900.0, transfer_s=Missing("none")), memory, mended)

    assert bandwidth(after, mended) == 1.0
    assert after.terms == memory.terms
    assert after.cells == memory.cells


def test_another_revision_is_learnt_anew_within_a_hundred_requests() -> None:
    memory = learnt(1.0, looks=500)
    for turn in range(10):
        seen = replace(look(2.0, at_s=3000.0 + 5 * turn), revision="two")
        memory = observed(seen, memory, SPEC)

    assert bandwidth(memory) == pytest.approx(0.5, rel=0.2)


@pytest.mark.parametrize("told", [0.5, 1.0, 2.0])
@pytest.mark.parametrize(
    ("bandwidth_bytes_per_s", "precise"),
    [pytest.param(2e10, 0.07, id="a tenth busy"), pytest.param(6e9, 0.2, id="a quarter busy")],
)
def test_a_fleet_in_the_simulator_learns_its_bandwidth_and_what_transfers_take(
    told: float, bandwidth_bytes_per_s: float, precise: float
) -> None:
    """60 requests/s to 10 prefill and 4 decode pods.

    A router spreads transfers more evenly than the model counts on, so that a busy link seems quicker alone;
    what they take beside the others is what is seen.
    """
    transfer = replace(PROFILE.transfer, bandwidth_bytes_per_s=bandwidth_bytes_per_s)
    asked = spec(profile=replace(PROFILE, transfer=transfer), low=(10, 4), high=(10, 4))
    believed = asked.with_engines(lambda profile: transfers.scaled(profile, 1 / told))
    memories = [Memory()]

    def planner(seen: Observation, memory: Memory, _: FleetSpec) -> Plan:
        decided = plan(seen, memory, believed)
        memories.append(decided.memory)
        return decided

    rng = np.random.default_rng(1)
    arrivals_s = np.cumsum(rng.exponential(1 / 60, 4000)).tolist()
    inputs = rng.integers(500, 1500, 4000).tolist()
    rows = tuple(
        TraceRequest(arrival_s=at_s, input_tokens=tokens, output_tokens=100)
        for at_s, tokens in zip(arrivals_s, inputs, strict=True)
    )
    trace = Trace(name="steady", requests=rows)
    result = simulate(Scenario(trace=trace, spec=asked, replicas=pair(10, 4), planner=planner))
    learnt = calibrated(believed, memories[-1])
    load = Demand(rate_rps=60.0, lengths=from_requests(inputs, [100] * len(inputs)))
    tandem = Tandem(load, learnt)
    predicted_s = float(tandem.lengths.weights @ tandem.decode(4, 10).transfer_s)

    bandwidth = learnt.roles[D].profile.transfer.bandwidth_bytes_per_s
    assert bandwidth == pytest.approx(bandwidth_bytes_per_s, rel=precise)
    assert predicted_s == pytest.approx(result.latencies()["transfer_s"].mean, rel=0.06)
