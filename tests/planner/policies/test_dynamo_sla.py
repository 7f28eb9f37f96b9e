"""Figures are those of Dynamo's own tests and of the README of its scaling tests (ai-dynamo 1.6.1)."""

from dataclasses import replace
from typing import Any

import pytest
from tests.planner.builders import D, P, counts, observation, pair, spec

from tandem.perf.engine_profile import DecodeCost, PrefillCost
from tandem.perf.library import profile
from tandem.planner.model import Memory
from tandem.planner.observation import Figure, LengthCounts
from tandem.planner.policies import dynamo_sla
from tandem.planner.policies.dynamo_predictor import Track
from tandem.planner.policies.dynamo_sla import Correction, Load, replicas

H200 = spec(profile=profile("h200-llama-3.1-8b-fp8-tp1"), ttft_s=0.2, tpot_s=0.01)


def test_the_calculation_of_dynamos_unit_test() -> None:
    """500 requests a minute of 3000 and 150 tokens at 40,000 and 1,000 tokens/s: 0.6 and 1.25."""
    made = replace(
        H200.roles[P].profile,
        prefill=PrefillCost(a_s=0.0, b_s_per_token=1 / 40_000, c_s_per_token2=0.0),
        decode=DecodeCost(alpha_s=0.0, beta_s_per_sequence=0.001, gamma_s_per_token=0.0),
    )
    asked = spec(profile=made, tpot_s=0.01)

    wishes = replicas(Load(requests=500, isl=3000, osl=150), 60.0, Correction(), asked)

    assert counts(wishes) == (1, 2)


@pytest.mark.parametrize(
    ("rate_rps", "isl", "osl", "expected"),
    [
        pytest.param(8, 4000, 150, (1, 1), id="scaling test, phase 1"),
        pytest.param(18, 4000, 150, (2, 1), id="scaling test, phase 2"),
        pytest.param(12, 3000, 300, (1, 1), id="between 1P1D"),
        pytest.param(36, 3000, 300, (3, 3), id="and 3P3D"),
    ],
)
def test_sizes_of_dynamos_scaling_tests_on_the_profile_that_was_fitted_to_its_tables(
    rate_rps: float, isl: float, osl: float, expected: tuple[int, int]
) -> None:
    load = Load(requests=180 * rate_rps, isl=isl, osl=osl)

    assert counts(replicas(load, 180.0, Correction(), H200)) == expected


def test_a_long_ttft_adds_no_prefill_and_a_short_one_takes_some() -> None:
    """min(1, correction): a queue is ignored, a prefix cache is not."""
    load = Load(requests=180 * 36, isl=3000, osl=300)

    assert replicas(load, 180.0, Correction(prefill=50.0), H200)[P] == 3
    assert replicas(load, 180.0, Correction(prefill=0.4), H200)[P] == 1


def test_slow_decode_tightens_the_target() -> None:
    load = Load(requests=180 * 36, isl=3000, osl=300)

    assert replicas(load, 180.0, Correction(decode=1.3), H200)[D] == 4


def decided(ticks: list[dict[str, Any]], **parameters: float) -> list[tuple[int, int]]:
    asked, memory, pods, out = replace(H200, parameters=parameters), Memory(), pair(1, 1), []
    for number, traffic in enumerate(ticks):
        proposal = dynamo_sla.decide(
            observation(60.0 * number, pods=pods, interval_s=60.0, **traffic), memory, asked
        )
        memory, pods = replace(memory, facts=proposal.facts), proposal.wishes
        out.append(counts(pods))
    return out


def test_it_adjusts_at_the_end_of_each_interval_only() -> None:
    """180 s of 36 requests/s, of which it sees four looks, the first of before it began."""
    busy = {"rate_rps": 27.0, "lengths": (3000, 0, 300)}

    assert decided([busy] * 5) == [(1, 1), (1, 1), (1, 1), (3, 3), (3, 3)]


def test_an_interval_without_requests_leaves_everything_as_it_is() -> None:
    busy = {"rate_rps": 27.0, "lengths": (3000, 0, 300)}
    quiet = {"rate_rps": Figure(0.0), "lengths": LengthCounts()}

    assert decided([busy] * 4 + [quiet] * 6)[-1] == (3, 3)


def test_steps_slower_than_profiled_at_that_concurrency_add_decode() -> None:
    """36 requests/s that stay 15 s fill the batch of 256, whose step is profiled at 35.8 ms and takes 50.

    For 10 ms it now aims at 7.2 profiled ones: 3036 tokens/s a replica, 3.6 replicas.
    """
    busy = {"rate_rps": 27.0, "lengths": (3000, 0, 300), "finished": Figure(1620.0)}
    slow = {"ttft_s": Figure(0.5), "tpot_s": Figure(0.05)}

    assert decided([busy] * 4)[-1] == (3, 3)
    assert decided([busy | slow] * 4)[-1] == (3, 4)


def test_kalman_follows_a_trend_and_the_last_value_does_not() -> None:
    track = Track()
    for value in (100.0, 110.0, 120.0, 130.0, 140.0, 150.0, 160.0):
        track = track.after(value)

    assert track.ahead(by_kalman=False) == 160.0
    assert track.ahead(by_kalman=True) == pytest.approx(170.0, abs=1.0)


def test_before_five_values_the_last_one_is_predicted() -> None:
    track = Track().after(10.0).after(20.0).after(30.0).after(40.0)

    assert track.ahead(by_kalman=True) == 40.0
