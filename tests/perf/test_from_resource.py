import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.api import parse
from tandem.api.role import Role
from tandem.perf import from_resource
from tandem.perf.engine_profile import (
    DecodeCost,
    EngineProfile,
    FitError,
    KvCache,
    PrefillCost,
    TransferCost,
)
from tandem.perf.library import PROFILES

SECONDS = st.floats(1e-12, 1e3)
COUNTS = st.integers(1, 4096)
ERRORS = st.floats(0, 2)
PROFILE = st.builds(
    EngineProfile,
    name=st.from_regex(r"\A[a-z][a-z0-9.-]{0,20}[a-z0-9]\Z"),
    model=st.from_regex(r"\A[A-Za-z0-9/._-]{1,40}\Z"),
    accelerator=st.from_regex(r"\A[a-z][a-z0-9-]{0,20}[a-z0-9]\Z"),
    accelerators=st.integers(1, 72),
    prefill=st.builds(
        PrefillCost, a_s=SECONDS, b_s_per_token=SECONDS, c_s_per_token2=st.just(0.0) | SECONDS
    ),
    decode=st.builds(
        DecodeCost, alpha_s=SECONDS, beta_s_per_sequence=SECONDS, gamma_s_per_token=SECONDS
    ),
    kv=st.builds(
        KvCache,
        bytes_per_token=st.floats(1, 1e9),
        capacity_tokens=st.integers(4096, 10**9),
        block_tokens=COUNTS,
    ),
    transfer=st.builds(
        TransferCost, latency_s=st.just(0.0) | SECONDS, bandwidth_bytes_per_s=st.floats(1, 1e15)
    ),
    batch_cap=COUNTS,
    batch_tokens=st.integers(4096, 10**6),
    first_token=st.sampled_from(Role),
    cold_start_s=st.dictionaries(
        st.from_regex(r"\A[a-z][a-z0-9_]{0,20}\Z"), st.floats(0, 1e4), max_size=16
    ).map(lambda stages: tuple(stages.items())),
    cost_per_hour=st.integers(0, 10**8).map(lambda thousandths: thousandths / 1000),
    source=st.text(max_size=200),
    fit_error=st.none()
    | st.builds(
        FitError,
        prefill_mean=ERRORS,
        prefill_max=ERRORS,
        decode_mean=ERRORS,
        decode_max=ERRORS,
    ),
)


@given(profile=PROFILE)
def test_a_profile_comes_back_from_its_resource(profile: EngineProfile) -> None:
    resource = from_resource.resource(profile)
    written = resource.model_dump(mode="json", by_alias=True, exclude_none=True)

    assert from_resource.engine_profile(parse.parse_profile(written)) == profile


@pytest.mark.parametrize("name", PROFILES)
def test_every_built_in_profile_has_a_resource(name: str) -> None:
    profile = PROFILES[name]

    assert from_resource.engine_profile(from_resource.resource(profile)) == profile


def test_a_replica_costs_what_its_accelerators_cost_together() -> None:
    resource = from_resource.resource(PROFILES["h200-llama-3.1-70b-tp4"])

    assert resource.spec.accelerator.cost_per_hour == "4.1"
    assert from_resource.replica_cost_per_hour(resource.spec.accelerator) == 16.4
