"""The rules that move pods between roles: each by its published decision, and what it gets wrong."""

from dataclasses import replace
from typing import Any

import pytest
from tests.planner.builders import D, P, counts, observation, pair, spec

from tandem.planner.cells import Cells
from tandem.planner.model import Memory
from tandem.planner.observation import Figure
from tandem.planner.plan import plan
from tandem.planner.policies import arrow, elasticmm, epd, mooncake, pd_serve, splitwise, state
from tandem.planner.policies.arrow import Flips, Load
from tandem.planner.policies.pool import TO_DECODE, TO_PREFILL
from tandem.planner.spec import OWN_PACE
from tandem.planner.switches import Switch

HOUR = tuple((30.0 * i, 30.0, 600.0) for i in range(1, 60))  # 20 requests a second
MEMORY = Memory(started_s=0.0, rates=HOUR, cells=Cells.of((1000, 0, 200, 500.0)))
NOW_S = 1770.0
TIGHT: dict[str, Any] = {"headroom": 2.0}


# -- EPD ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("queues", "pods", "expected"),
    [
        pytest.param((0, 10, 0), (2, 2, 4), ("D", "P"), id="from the one with most to spare"),
        pytest.param((0, 10, 0), (3, 2, 1), ("E", "P"), id="a stage keeps one"),
        pytest.param((5, 10, 6), (2, 2, 4), None, id="all have half as many"),
        pytest.param((0, 0, 0), (2, 2, 4), None, id="nothing queues"),
        pytest.param((0, 10, 0), (1, 6, 1), None, id="nobody has one to spare"),
        pytest.param((10, 4, 0), (1, 2, 2), ("P", "E"), id="the first of equals"),
    ],
)
def test_epd_moves_a_pod_to_the_longest_queue(
    queues: tuple[int, int, int],
    pods: tuple[int, int, int],
    expected: tuple[str, str] | None,
) -> None:
    """Encode, prefill and decode, as `decide_migration` has them."""
    stages = ("E", "P", "D")
    found = epd.moved(dict(zip(stages, queues, strict=True)), dict(zip(stages, pods, strict=True)))

    assert found == expected


def test_epd_waits_five_seconds_and_its_switch_gets_into_the_plan() -> None:
    asked = spec(policy="epd", behavior=OWN_PACE, parameters=TIGHT, switch_s=5.0)
    seen = observation(NOW_S, pods=pair(4, 4), queued_requests=Figure(9.0))
    first = plan(seen, MEMORY, asked)
    again = plan(replace(seen, now_s=NOW_S + 4), replace(MEMORY, facts=first.memory.facts), asked)

    assert first.switches == (TO_PREFILL,)
    assert again.switches == ()


# -- Arrow -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("load", "before", "expected"),
    [
        pytest.param(Load(prefill=0.2, decode=1.2), Flips(asked=2), TO_DECODE, id="over TPOT"),
        pytest.param(Load(prefill=0.2, decode=1.2), Flips(asked=1), None, id="not yet three"),
        pytest.param(Load(prefill=0.4, decode=0.6), Flips(asked=2), TO_DECODE, id="idle prefill"),
        pytest.param(Load(prefill=0.4, decode=0.4), Flips(asked=2), None, id="both idle"),
        pytest.param(Load(prefill=1.1, decode=0.9), Flips(), TO_PREFILL, id="over TTFT"),
        pytest.param(Load(prefill=1.1, decode=1.1), Flips(), None, id="both over"),
        pytest.param(Load(prefill=1.1, decode=0.1), Flips(at_s=NOW_S - 9), None, id="just flipped"),
    ],
)
def test_arrow_flips_by_both_loads(load: Load, before: Flips, expected: Switch | None) -> None:
    assert arrow.flipped(load, before, NOW_S)[0] == expected


def test_arrow_forgets_a_look_that_asks_for_nothing() -> None:
    _, after = arrow.flipped(Load(prefill=0.7, decode=0.7), Flips(asked=2), NOW_S)

    assert after.asked == 0


def test_arrow_flips_a_well_sized_fleet_under_steady_load() -> None:
    """What fails: prefill of 0.4 and decode of 0.6, which nobody need touch."""
    flips, moved = Flips(), []
    for look in range(12):
        switch, flips = arrow.flipped(Load(prefill=0.4, decode=0.6), flips, 5.0 * look)
        moved.append(switch)

    assert moved.count(TO_DECODE) == 4


# -- Mooncake ----------------------------------------------------------------------------------------


def test_mooncakes_sixteen_nodes_at_its_best_ratio() -> None:
    assert counts(mooncake.split(16, 1.0)) == (8, 8)
    assert counts(mooncake.split(16, 5 / 11)) == (5, 11)
    assert counts(mooncake.split(16, 11 / 5)) == (11, 5)
    assert counts(mooncake.split(4, 100.0)) == (3, 1)


@pytest.mark.parametrize(
    ("outputs", "near_s", "moves"),
    [
        pytest.param(200, NOW_S, False, id="as it was"),
        pytest.param(1000, NOW_S - 299, False, id="a swing that does not last"),
        pytest.param(1000, NOW_S - 300, True, id="a swing that lasts"),
        pytest.param(280, NOW_S - 3000, False, id="within the swing, for ever: what fails"),
    ],
)
def test_mooncake_changes_roles_on_large_swings_only(
    outputs: int, near_s: float, *, moves: bool
) -> None:
    """Outputs five times as long ask for five times the decode."""
    asked = spec(policy="mooncake")
    first = mooncake.decide(observation(NOW_S), MEMORY, asked).facts["ratio.prefill_per_decode"]
    kept = state.facts(ratio=mooncake.Ratio(prefill_per_decode=first, near_s=near_s))
    memory = replace(MEMORY, cells=Cells.of((1000, 0, outputs, 500.0)), facts=kept)
    then = mooncake.decide(observation(NOW_S), memory, asked).facts["ratio.prefill_per_decode"]

    assert (then != first) is moves


# -- P/D-Serve ---------------------------------------------------------------------------------------


def test_pd_serve_moves_pods_until_stages_finish_as_many() -> None:
    """Outputs ten times as long: what was prefill decodes, and nothing is started for it."""
    asked = spec(policy="pd-serve", parameters=TIGHT)
    memory = replace(MEMORY, cells=Cells.of((1000, 0, 2000, 500.0)))
    seen = observation(NOW_S, pods=pair(12, 12))
    proposal = pd_serve.decide(seen, memory, asked)

    assert set(proposal.switches) == {TO_DECODE}
    assert proposal.wishes[D] > 3 * proposal.wishes[P]


# -- Splitwise ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("now", "pending", "full", "expected"),
    [
        pytest.param((5, 5), 8193.0, False, (TO_PREFILL,), id="a long queue borrows"),
        pytest.param((5, 5), 8192.0, False, (), id="not before its cap"),
        pytest.param((5, 5), 0.0, True, (TO_DECODE,), id="full token pods borrow"),
        pytest.param((7, 3), 100.0, False, (), id="lent until the queue is gone"),
        pytest.param((7, 3), 0.0, False, (TO_DECODE,), id="then one goes home"),
        pytest.param((3, 7), 0.0, False, (TO_PREFILL,), id="and the other way"),
    ],
)
def test_splitwise_borrows_and_returns(
    now: tuple[int, int], pending: float, *, full: bool, expected: tuple[Switch, ...]
) -> None:
    moves = splitwise.moved(pair(*now), pair(5, 5), pending_tokens=pending, is_full=full)

    assert moves == expected


# -- ElasticMM ---------------------------------------------------------------------------------------


def test_elasticmm_gain_and_cost_of_its_formulas() -> None:
    """10 requests on 3 pods: 10/2.7 − 10/3.6 s saved, 10/1000 of it a token, 19.88 rounds."""
    assert elasticmm.gain(10, 3, 1000.0) == pytest.approx(
        (10 / 2.7 - 10 / 3.6) * 10 / 1000 * 19.88, rel=1e-3
    )
    assert elasticmm.cost(10, 200.0) == pytest.approx((0.1 + 0.05 * 10) / 2000)


def test_elasticmm_gains_nothing_beyond_four_pods_that_slow_each_other() -> None:
    """T(n) = requests/(0.9 n · 0.9^(n − 4)): from nine pods on one more makes it longer."""
    assert elasticmm.gain(100, 8, 1000.0) > 0
    assert elasticmm.gain(100, 9, 1000.0) == 0


def test_elasticmm_takes_a_decode_pod_for_a_moments_queue() -> None:
    """What fails: five prompts on four pods are enough, whatever TPOT does."""
    seen = observation(
        NOW_S,
        pods=pair(4, 4),
        running={P: Figure(1.0), D: Figure(100.0)},
        queued_requests=Figure(1.0),
        tpot_s=Figure(1.0),
    )

    asked = spec(parameters={"headroom": 3.0})
    assert elasticmm.decide(seen, MEMORY, asked).switches == (TO_PREFILL,)
