"""Velocities: what goes into a stage a second over what a replica of it takes."""

from dataclasses import replace

import pytest
from tests.planner.builders import ENGINE, D, P, counts, observation, pair, spec

from tandem.perf.engine_profile import DecodeCost, KvCache, PrefillCost, TransferCost
from tandem.planner.cells import Cell, Cells
from tandem.planner.model import Memory
from tandem.planner.policies import tokenscale
from tandem.planner.spec import FleetSpec

# V_P as llm-d's guide measures it for Qwen3-32B on H100, TP2; and the same over a slow KV fabric.
V_P, V_SLOW = 15_928.0, 2_696.0
MADE = replace(
    ENGINE,
    prefill=PrefillCost(a_s=0.0, b_s_per_token=1 / V_P, c_s_per_token2=0.0),
    decode=DecodeCost(alpha_s=0.02, beta_s_per_sequence=0.0, gamma_s_per_token=0.0),
    kv=KvCache(bytes_per_token=1.0, capacity_tokens=120_000, block_tokens=1),
    transfer=TransferCost(latency_s=0.0, bandwidth_bytes_per_s=1e6),
)


def seen(rate_rps: float, *cells: Cell) -> Memory:
    return Memory(rates=((60.0, 60.0, 60.0 * rate_rps),), cells=Cells.of(*cells))


def wish(memory: Memory, asked: FleetSpec) -> tuple[int, int]:
    return counts(tokenscale.decide(observation(60.0, pods=pair(1, 1)), memory, asked).wishes)


@pytest.mark.parametrize(
    ("rate_rps", "link", "expected"),
    [
        pytest.param(15.9, 1e6, 1, id="just under V_P"),
        pytest.param(16.0, 1e6, 2, id="just over it"),
        pytest.param(160.0, 1e6, 11, id="ten times as many at once"),
        pytest.param(16.0, V_SLOW, 6, id="the link is slower: min(V_P, V_N)"),
    ],
)
def test_prefill_for_the_slower_of_compute_and_link(
    rate_rps: float, link: float, expected: int
) -> None:
    transfer = TransferCost(latency_s=0.0, bandwidth_bytes_per_s=link)
    asked = spec(profile=replace(MADE, transfer=transfer))

    assert wish(seen(rate_rps, (1000, 0, 200, 1.0)), asked)[0] == expected


def test_decode_sums_the_loads_of_its_buckets() -> None:
    """V_D = B(I + O)/(O·TPOT), by hand: B = 120,000 less half a prompt over I + O/2, at most 256, 20 ms steps."""
    asked = spec(profile=replace(MADE, batch_cap=256), tpot_s=0.05)
    short, long = (200, 0, 100, 1.0), (10_000, 0, 1000, 1.0)
    by_hand = 50 * 100 / (256 / 0.02) + 50 * 1000 / (115_000 / 10_500 / 0.02)

    proposal = tokenscale.decide(observation(60.0), seen(100.0, short, long), asked)

    assert proposal.wishes[D] == pytest.approx(by_hand, abs=1.0)
    assert f"{by_hand:.1f}"[:3] in proposal.reasons[D]


def test_cached_prefixes_are_not_known_to_it() -> None:
    asked = spec(profile=MADE)

    cached = wish(seen(16.0, (1000, 900, 200, 1.0)), asked)
    fresh = wish(seen(16.0, (1000, 0, 200, 1.0)), asked)

    assert cached == fresh


def test_it_scales_down_at_once() -> None:
    assert tokenscale.decide(observation(60.0), seen(1.0, (1000, 0, 200, 1.0)), spec()).hold_s == 0


def test_convertible_decoders_are_kept() -> None:
    asked = spec(profile=MADE, parameters={"convertible": 3})

    assert wish(seen(0.1, (1000, 0, 200, 1.0)), asked) == (1, 3)


def test_nothing_known_changes_nothing() -> None:
    proposal = tokenscale.decide(observation(60.0, pods=pair(4, 5)), Memory(), spec())

    assert proposal.wishes == {P: 4, D: 5}
