"""DOPD's ratio with its own cache (2040 blocks of 128 tokens): 81 requests of 3000 in and 150 out.

With a TTFT of 0.25 s and an ITL of 25 ms the ratio is 81 · 0.25/(150 · 0.025) = 5.4.
"""

from dataclasses import replace

import pytest
from tests.planner.builders import ENGINE, counts, observation, spec

from tandem.perf.engine_profile import DecodeCost, KvCache, PrefillCost
from tandem.planner.cells import Cells
from tandem.planner.demand import from_means
from tandem.planner.model import Memory
from tandem.planner.policies import dopd, dopd_code

ITS_OWN = replace(
    ENGINE,
    prefill=PrefillCost(a_s=0.25, b_s_per_token=0.0, c_s_per_token2=0.0),
    decode=DecodeCost(alpha_s=0.025, beta_s_per_sequence=0.0, gamma_s_per_token=0.0),
    kv=KvCache(bytes_per_token=1e5, capacity_tokens=2040 * 128, block_tokens=128),
)
ASKED = spec(profile=ITS_OWN)


def memory(rate_rps: float) -> Memory:
    return Memory(rates=((180.0, 180.0, 180 * rate_rps),), cells=Cells.of((3000, 0, 150, 1.0)))


def test_the_ratio() -> None:
    found = dopd.balance(from_means(3000, 150), ASKED)

    assert found.concurrency == 81
    assert found.ratio == pytest.approx(5.4)
    assert found.decode_rps == pytest.approx(81 / (150 * 0.025))


@pytest.mark.parametrize(
    ("rate_rps", "by_rule", "by_code"),
    [
        pytest.param(0.2, (6, 1), (6, 1), id="0.2 a second: work for a twentieth of a prefill"),
        pytest.param(20.0, (6, 1), (6, 45), id="20 a second: work for five prefills, one decode"),
        pytest.param(40.0, (11, 2), (6, 89), id="40 a second"),
    ],
)
def test_the_rule_follows_the_load_and_the_code_does_not(
    rate_rps: float, by_rule: tuple[int, int], by_code: tuple[int, int]
) -> None:
    seen = observation(180.0)

    assert counts(dopd.decide(seen, memory(rate_rps), ASKED).wishes) == by_rule
    assert counts(dopd_code.decide(seen, memory(rate_rps), ASKED).wishes) == by_code


def test_nothing_is_sized_before_anything_is_known() -> None:
    for policy in (dopd, dopd_code):
        assert counts(policy.decide(observation(5.0), Memory(), ASKED).wishes) == (1, 1)


def test_decode_is_filled_to_its_kv_whatever_tpot_asks() -> None:
    """What fails: a target of half the step changes nothing."""
    loose, tight = (
        dopd.balance(from_means(1000, 200), spec(tpot_s=tpot_s)) for tpot_s in (0.1, 0.012)
    )

    assert loose == tight
