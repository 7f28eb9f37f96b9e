"""A profile computes what its formula says, and refuses numbers that no engine has."""

import math
from dataclasses import asdict, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.errors import InvalidInputError
from tandem.perf.engine_profile import (
    DecodeCost,
    EngineProfile,
    KvCache,
    PrefillCost,
    TransferCost,
)

PROFILE = EngineProfile(
    name="test",
    model="test/model",
    accelerator="nvidia-test",
    accelerators=1,
    prefill=PrefillCost(a_s=0.01, b_s_per_token=1e-4, c_s_per_token2=1e-7),
    decode=DecodeCost(alpha_s=0.005, beta_s_per_sequence=1e-4, gamma_s_per_token=1e-6),
    kv=KvCache(bytes_per_token=1000, capacity_tokens=160),
    transfer=TransferCost(latency_s=0.001, bandwidth_bytes_per_s=1e6),
    batch_tokens=1000,
    cold_start_s=(("weights", 30.0), ("warm", 10.5)),
)


@pytest.mark.parametrize(
    ("input_tokens", "cached_tokens", "expected_s"),
    [
        pytest.param(100, 0, 0.01 + 0.01 + 0.001, id="one chunk"),
        pytest.param(1000, 0, 0.01 + 0.1 + 0.1, id="exactly one chunk"),
        pytest.param(1001, 0, 0.02 + 0.1001 + 0.1002001, id="two chunks pay two fixed costs"),
        pytest.param(1001, 1, 0.01 + 0.1 + 0.1002, id="cached tokens are not computed"),
        pytest.param(100, 100, 0.01 + 0.0001 + 199e-7, id="the last token always is"),
    ],
)
def test_a_prompt_alone_takes(input_tokens: int, cached_tokens: int, expected_s: float) -> None:
    assert PROFILE.prefill_s(input_tokens, cached_tokens) == pytest.approx(expected_s, rel=1e-12)


@given(st.integers(1, 5000), st.integers(0, 5000))
def test_a_prompt_alone_takes_as_long_as_its_chunks_in_turn(total: int, cached: int) -> None:
    at, sum_s = min(cached, total - 1), 0.0
    while at < total:
        end = min(total, at + PROFILE.batch_tokens)
        sum_s += PROFILE.prefill.batch_s([(at, end)])
        at = end
    assert PROFILE.prefill_s(total, cached) == pytest.approx(sum_s, rel=1e-12)


def test_a_batch_of_prompts_pays_one_fixed_cost() -> None:
    assert PROFILE.prefill.batch_s([(0, 100), (50, 100)]) == pytest.approx(
        0.01 + 1e-4 * 150 + 1e-7 * (10_000 + 7_500)
    )


def test_a_decode_step_takes() -> None:
    assert PROFILE.decode.step_s(10, 2000) == pytest.approx(0.005 + 0.001 + 0.002)


@given(st.integers(0, 300), st.integers(0, 10**6), st.integers(1, 500))
def test_a_decode_run_is_its_steps_in_turn(decoding: int, context: int, most: int) -> None:
    iterations, first_s, slope_s = PROFILE.decode_run(decoding, context, most)

    assert iterations == most
    last = iterations - 1
    assert first_s + last * slope_s == pytest.approx(
        PROFILE.step_s([], decoding, context + last * decoding if decoding else 0), rel=1e-12
    )


def test_a_transfer_takes_its_latency_and_its_bytes() -> None:
    assert PROFILE.transfer_s(500) == pytest.approx(0.001 + 0.5)


def test_a_cold_start_is_the_sum_of_its_stages() -> None:
    assert PROFILE.cold_start_total_s == 40.5


IMPOSSIBLE = [
    (PROFILE.prefill, "prefill.", "a_s", math.nan),
    (PROFILE.prefill, "prefill.", "a_s", -1e-9),
    (PROFILE.prefill, "prefill.", "b_s_per_token", math.inf),
    (PROFILE.prefill, "prefill.", "c_s_per_token2", -1e-12),
    (PROFILE.decode, "decode.", "alpha_s", math.nan),
    (PROFILE.decode, "decode.", "beta_s_per_sequence", -0.1),
    (PROFILE.decode, "decode.", "gamma_s_per_token", math.inf),
    (PROFILE.kv, "kv.", "bytes_per_token", 0.0),
    (PROFILE.kv, "kv.", "capacity_tokens", 15),
    (PROFILE.kv, "kv.", "capacity_tokens", 0),
    (PROFILE.kv, "kv.", "block_tokens", 0),
    (PROFILE.transfer, "transfer.", "latency_s", -0.001),
    (PROFILE.transfer, "transfer.", "bandwidth_bytes_per_s", 0.0),
    (PROFILE.transfer, "transfer.", "bandwidth_bytes_per_s", math.nan),
    (PROFILE, "", "accelerators", 0),
    (PROFILE, "", "batch_cap", 0),
    (PROFILE, "", "batch_tokens", 255),
    (PROFILE, "", "cost_per_hour", -1.0),
]


@pytest.mark.parametrize(
    ("part", "prefix", "field", "value"),
    [pytest.param(*case, id=f"{case[1]}{case[2]}={case[3]}") for case in IMPOSSIBLE],
)
def test_an_impossible_number_is_refused_by_its_name(
    part: Any, prefix: str, field: str, value: float
) -> None:
    with pytest.raises(InvalidInputError) as refused:
        replace(part, **{field: value})
    assert refused.value.field == prefix + field
    assert refused.value.value is value


def test_a_cold_start_stage_is_refused_by_its_name() -> None:
    with pytest.raises(InvalidInputError, match=r"cold_start_s\.warm: -1\.0"):
        replace(PROFILE, cold_start_s=(("weights", 30.0), ("warm", -1.0)))


@pytest.mark.parametrize(
    "cost", [pytest.param(PROFILE.prefill, id="prefill"), pytest.param(PROFILE.decode, id="decode")]
)
def test_work_that_takes_no_time_at_all_is_refused(cost: PrefillCost | DecodeCost) -> None:
    nothing: dict[str, Any] = dict.fromkeys(asdict(cost), 0.0)
    with pytest.raises(InvalidInputError, match="one of the coefficients above zero"):
        replace(cost, **nothing)
