"""One metric, one ratio: from 1 prefill to 5 decode to 9 to 1, as the services of the paper have."""

from dataclasses import replace
from typing import Any

import pytest
from tests.planner.builders import D, P, counts, observation, pair, spec

from tandem.planner.cells import Cells
from tandem.planner.model import Memory
from tandem.planner.observation import Figure
from tandem.planner.policies import heteroscale, state
from tandem.planner.policies.heteroscale import Curve
from tandem.planner.policies.proposal import Proposal

TPS = 10_000.0


def proposal(
    tokens_per_s: float,
    pods: tuple[int, int] = (1, 1),
    ratio: float = 1.0,
    facts: dict[str, float] | None = None,
    **traffic: Any,
) -> Proposal:
    known = state.facts(curve=Curve(tokens_per_s=TPS, ratio=ratio))
    memory = Memory(cells=Cells.of((1000, 0, 200, 500.0)), facts=known if facts is None else facts)
    made = {"output_tokens": Figure(5.0 * tokens_per_s), **traffic}
    seen = observation(100.0, pods=pair(*pods), **made)
    return heteroscale.decide(seen, memory, spec(parameters={"target": 0.8}))


@pytest.mark.parametrize(
    ("ratio", "expected"),
    [
        pytest.param(1 / 5, (2, 10), id="1P to 5D"),
        pytest.param(1.0, (10, 10), id="one to one"),
        pytest.param(9.0, (90, 10), id="9P to 1D"),
    ],
)
def test_prefill_follows_decode_at_the_ratio(ratio: float, expected: tuple[int, int]) -> None:
    assert counts(proposal(80_000.0, ratio=ratio).wishes) == expected


@pytest.mark.parametrize(
    ("tokens_per_s", "expected"),
    [
        pytest.param(32_000.0, 4, id="on target"),
        pytest.param(33_500.0, 4, id="a little over"),
        pytest.param(34_000.0, 5, id="over"),
        pytest.param(27_300.0, 4, id="a little under"),
        pytest.param(24_000.0, 3, id="under"),
    ],
)
def test_thresholds_are_wider_downward(tokens_per_s: float, expected: int) -> None:
    assert proposal(tokens_per_s, pods=(4, 4)).wishes[D] == expected


@pytest.mark.parametrize(
    ("tpot_s", "expected"),
    [
        pytest.param(0.02, 10, id="within"),
        pytest.param(0.04, 11, id="moderate: a tenth more"),
        pytest.param(0.06, 12, id="severe: a fifth more"),
    ],
)
def test_latency_guards(tpot_s: float, expected: int) -> None:
    guarded = proposal(80_000.0, pods=(10, 10), tpot_s=Figure(tpot_s))

    assert counts(guarded.wishes) == (expected, expected)


def test_the_guard_waits_for_what_it_asked_for() -> None:
    first = proposal(80_000.0, pods=(10, 10), ttft_s=Figure(9.0))
    again = proposal(80_000.0, pods=(12, 12), facts=dict(first.facts), ttft_s=Figure(9.0))

    assert first.wishes[D] == 12
    assert again.wishes[D] == 10  # but the soft scale-in keeps them
    assert again.hold_s == 300.0


def test_lengths_that_drift_do_not_move_the_ratio() -> None:
    """What fails: prompts ten times as long get no more prefill."""
    asked, memory = spec(), Memory(cells=Cells.of((1000, 0, 200, 500.0)))
    before = heteroscale.decide(observation(5.0), memory, asked)
    drifted = replace(memory, cells=Cells.of((10_000, 0, 200, 500.0)), facts=before.facts)
    after = heteroscale.decide(observation(10.0), drifted, asked)

    assert after.wishes == before.wishes
    assert after.facts["curve.ratio"] == before.facts["curve.ratio"]


def test_the_curve_is_made_once_enough_requests_have_ended() -> None:
    asked = spec()
    early = heteroscale.decide(
        observation(5.0), Memory(cells=Cells.of((1000, 0, 200, 99.0))), asked
    )
    later = heteroscale.decide(
        observation(5.0), Memory(cells=Cells.of((1000, 0, 200, 100.0))), asked
    )

    assert "curve.ratio" not in early.facts
    assert later.facts["curve.ratio"] > 0


def test_tokens_of_what_ended_stand_for_those_that_engines_do_not_tell() -> None:
    seen = observation(5.0, rate_rps=20.0, lengths=(1000, 0, 200))
    told = heteroscale.decide(seen, Memory(cells=Cells.of((1000, 0, 200, 500.0))), spec())

    assert told.facts["signal.tokens_per_s"] == pytest.approx(4000.0)


def test_lengths_that_cannot_be_move_nothing() -> None:
    seen = observation(5.0, rate_rps=1e301, lengths=(10_782_184, 0, 1))
    told = heteroscale.decide(seen, Memory(cells=Cells.of((1000, 0, 200, 500.0))), spec())

    assert "signal.tokens_per_s" not in told.facts


def test_before_anything_ended_nothing_changes() -> None:
    assert heteroscale.decide(observation(5.0, pods=pair(4, 5)), Memory(), spec()).wishes == {
        P: 4,
        D: 5,
    }
