"""What is asked of aiconfigurator-core, and what is said where it is not there or does not know."""

import sys
from dataclasses import replace
from types import ModuleType
from typing import Any

import pytest

from tandem.errors import InvalidInputError
from tandem.perf.from_aiconfigurator import from_aiconfigurator
from tandem.perf.library import PROFILES
from tandem.perf.table import AS_TABLED

MODULE = "aiconfigurator_core.sdk.engine"
ASKED: list[tuple[Any, ...]] = []


class Handle:
    """The three calls of its `EngineHandle` that are used, in milliseconds."""

    @classmethod
    def compile(cls, model: str, system: str, backend: str, **more: Any) -> "Handle":
        ASKED.append((model, system, backend, more["tp_size"], more["gemm_quant_mode"]))
        if "opt" in model:
            raise ValueError("no such model")
        return cls()

    def predict_prefill_latency(self, prompts: int, length: int) -> float:
        return 5.0 + 0.01 * prompts * length

    def predict_decode_latency(self, batch: int, context: int) -> float:
        return 4.0 + 0.01 * batch + 1e-5 * batch * context


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    ASKED.clear()
    for name in ("aiconfigurator_core", "aiconfigurator_core.sdk", MODULE):
        module = ModuleType(name)
        module.__dict__["EngineHandle"] = Handle
        monkeypatch.setitem(sys.modules, name, module)


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("h200-llama-3.1-8b-tp1", ("meta-llama/Meta-Llama-3.1-8B", "h200_sxm", "vllm", 1, None)),
        (
            "h200-llama-3.1-8b-fp8-tp1",
            ("meta-llama/Meta-Llama-3.1-8B", "h200_sxm", "vllm", 1, "fp8_static"),
        ),
        ("h200-qwen3-32b-tp2", ("Qwen/Qwen3-32B", "h200_sxm", "vllm", 2, None)),
        (
            "a100-llama-3.1-70b-tp4",
            ("meta-llama/Meta-Llama-3.1-70B", "a100_sxm", "vllm", 4, None),
        ),
    ],
)
def test_a_profiles_engine_is_asked_for(name: str, asked: tuple[Any, ...]) -> None:
    from_aiconfigurator(PROFILES[name])

    assert asked == ASKED[0]


def test_its_milliseconds_become_a_table_and_are_calibrated() -> None:
    profile = PROFILES["h200-qwen3-32b-tp2"]
    raw = from_aiconfigurator(profile, calibration=AS_TABLED)
    calibrated = from_aiconfigurator(profile)

    assert raw.step_s([(0, 1000)], 0, 0) == pytest.approx(0.015)
    assert raw.step_s([], 10, 10_000) == pytest.approx(0.0042)
    assert calibrated.step_s([(0, 1000)], 0, 0) == pytest.approx(1.185 * 0.015 + 0.0127)
    assert calibrated.step_s([], 10, 10_000) == pytest.approx(1.121 * 0.0042 + 0.00043)


def test_an_engine_that_it_does_not_know_is_refused_with_its_reason() -> None:
    with pytest.raises(InvalidInputError, match=r"facebook/opt-13b on a100_sxm.*no such model"):
        from_aiconfigurator(PROFILES["a100-opt-13b-tp1"])


def test_an_accelerator_of_another_make_is_asked_for_by_its_name() -> None:
    from_aiconfigurator(replace(PROFILES["h200-qwen3-32b-tp2"], accelerator="none"))

    assert ASKED[0][1] == "none_sxm"


def test_without_it_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, MODULE, None)

    with pytest.raises(InvalidInputError, match=r"--truth: .*pip install aiconfigurator-core"):
        from_aiconfigurator(PROFILES["h200-qwen3-32b-tp2"])
