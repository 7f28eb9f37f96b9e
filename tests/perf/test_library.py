"""The library's profiles are whole, cheap to load, and what their samples say."""

import subprocess
import sys
from dataclasses import astuple
from pathlib import Path

import pytest
from benchmarks.perf.fits import UNSAMPLED, refit

from tandem.errors import InvalidInputError
from tandem.perf.library import PROFILES, profile

# An accelerator's memory as its driver states it, MiB: capacities are checked against it.
MEMORY_MIB = {
    "nvidia-a100-80gb": 81_920,
    "nvidia-h100": 81_559,
    "nvidia-h200": 143_771,
    "nvidia-b200": 183_359,
}
BYTES_PER_TOKEN = {
    "meta-llama/Llama-3.1-8B-Instruct": 2 * 32 * 8 * 128 * 2,
    "nvidia/Llama-3.1-8B-Instruct-FP8": 2 * 32 * 8 * 128 * 2,
    "meta-llama/Llama-3.1-70B-Instruct": 2 * 80 * 8 * 128 * 2,
    "Qwen/Qwen3-32B": 2 * 64 * 8 * 128 * 2,
    "facebook/opt-13b": 2 * 40 * 5120 * 2,
}
WEIGHTS_GB = {
    "meta-llama/Llama-3.1-8B-Instruct": 16.06,
    "nvidia/Llama-3.1-8B-Instruct-FP8": 9.1,
    "meta-llama/Llama-3.1-70B-Instruct": 141.11,
    "Qwen/Qwen3-32B": 65.52,
    "facebook/opt-13b": 25.71,
}


def test_the_profiles_that_the_documents_name_exist() -> None:
    assert set(PROFILES) >= {
        "h200-llama-3.1-8b-fp8-tp1",
        "h200-llama-3.1-70b-tp4",
        "h100-llama-3.1-8b-tp1",
        "h200-qwen3-32b-tp2",
        "a100-opt-13b-tp1",
    }
    assert list(PROFILES) == sorted(PROFILES)
    assert len(PROFILES) == len(list(PROFILES))


def test_an_unknown_name_is_refused_with_the_closest_first() -> None:
    with pytest.raises(InvalidInputError, match=r"one of h200-llama-3\.1-8b-tp1, ") as refused:
        profile("h200-llama-8b-tp1", "spec.roles.decode.profile")
    assert refused.value.field == "spec.roles.decode.profile"
    assert all(name in str(refused.value) for name in PROFILES)


@pytest.mark.parametrize("name", ["../errors", "", "library"])
def test_a_name_is_never_taken_for_a_path(name: str) -> None:
    assert name not in PROFILES
    with pytest.raises(KeyError):
        PROFILES[name]


def test_a_profile_is_read_once() -> None:
    assert profile("a100-opt-13b-tp1") is PROFILES["a100-opt-13b-tp1"]


def test_importing_the_library_loads_neither_numpy_nor_scipy() -> None:
    script = "import sys, tandem.perf.library as l; list(l.PROFILES.values()); print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert not {"numpy", "scipy", "pydantic"} & set(ran.stdout.split())


@pytest.mark.parametrize("name", PROFILES)
def test_a_profile_holds_together(name: str) -> None:
    stored = PROFILES[name]
    gpus = stored.accelerators
    assert name == stored.name
    assert name.endswith(f"-tp{gpus}")
    assert stored.accelerator.startswith("nvidia-" + name.split("-", 1)[0])
    assert stored.kv.bytes_per_token == BYTES_PER_TOKEN[stored.model]
    assert [stage for stage, _ in stored.cold_start_s] == [
        "schedule",
        "image",
        "weights",
        "compile",
        "warm",
    ]
    assert "Transfer:" in stored.source
    assert (stored.fit_error is None) == (name == UNSAMPLED)


@pytest.mark.parametrize("name", PROFILES)
def test_capacity_is_what_memory_leaves_beside_the_weights(name: str) -> None:
    """(0.9 memory − 2.7 GB) a GPU, less the weights; the measured profile's 945,029 calibrates it."""
    stored = PROFILES[name]
    per_gpu = 0.9 * MEMORY_MIB[stored.accelerator] * 2**20 - 2.7e9
    free = stored.accelerators * per_gpu - WEIGHTS_GB[stored.model] * 1e9
    assert stored.kv.capacity_tokens == pytest.approx(free / stored.kv.bytes_per_token, rel=1e-3)


@pytest.mark.parametrize(
    ("name", "total_s"),
    [
        pytest.param("h200-llama-3.1-8b-fp8-tp1", 100.0, id="8B"),
        pytest.param("h200-llama-3.1-70b-tp4", 377.0, id="70B, 375 logged and 2 to schedule"),
    ],
)
def test_a_cold_start_takes_what_was_logged(name: str, total_s: float) -> None:
    assert PROFILES[name].cold_start_total_s == total_s


@pytest.mark.data
@pytest.mark.parametrize("name", [name for name in PROFILES if name != UNSAMPLED])
def test_stored_coefficients_and_errors_are_those_of_the_samples(
    name: str, data_folder: Path
) -> None:
    stored, again = PROFILES[name], refit(name, data_folder / "profiles")
    assert again is not None
    assert stored.fit_error is not None
    assert astuple(stored.prefill) == pytest.approx(astuple(again.prefill.cost), rel=0.01)
    assert astuple(stored.decode) == pytest.approx(astuple(again.decode.cost), rel=0.01)
    errors = (*again.prefill[1:3], *again.decode[1:3])
    assert astuple(stored.fit_error) == pytest.approx(errors, abs=0.0001)
