"""A table asked of aiconfigurator-core (NVIDIA, Apache-2.0): step times composed of measured kernels.

An extra of its own, imported only here: 114 MB, Linux on x86-64, two seconds to begin. Held to version
0.12: its numbers are those of the sweep that the tests read.
"""

from collections.abc import Iterator
from importlib import import_module
from typing import Any

from tandem.errors import InvalidInputError
from tandem.perf.engine_profile import EngineProfile
from tandem.perf.grid import Point
from tandem.perf.table import Calibration, TableTimes

# Measured (Dynamo's profiler, Llama-3.1-8B FP8, H200) on modelled, by relative least squares: 4 %
# mean error over 17 prefill and 38 decode points. One pair, so a prior. Most of the prefill offset is
# overhead of serving.
MODELLED = Calibration(
    prefill_scale=1.185, prefill_offset_s=12.7e-3, decode_scale=1.121, decode_offset_s=0.43e-3
)

_NEEDS = "installed: pip install aiconfigurator-core==0.12.*"
_PROMPTS = (1, 2, 4, 8)
_LENGTHS = (64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768, 65536)
_BATCHES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
_CONTEXTS = (128, 512, 1024, 2048, 4096, 8192, 16384, 32768)


def from_aiconfigurator(
    profile: EngineProfile, field: str = "--truth", calibration: Calibration = MODELLED
) -> TableTimes:
    """The table of a profile's model, accelerator and tensor parallelism, by vLLM's kernels.

    Raises:
        InvalidInputError: the extra is not installed, or it does not know that engine.

    """
    engine = _engine(profile, field)
    prefill, decode = list(_prefill(engine)), list(_decode(engine))
    return TableTimes(prefill, decode, f"aiconfigurator-core, {profile.name}", calibration)


def _engine(profile: EngineProfile, field: str) -> Any:
    try:
        engines = import_module("aiconfigurator_core.sdk.engine")
    except ImportError:
        raise InvalidInputError(field, "aiconfigurator", _NEEDS) from None
    model, gemm = _model(profile.model)
    system = profile.accelerator.removeprefix("nvidia-").split("-", 1)[0] + "_sxm"
    asked = {"tp_size": profile.accelerators, "gemm_quant_mode": gemm}
    try:
        return engines.EngineHandle.compile(model, system, "vllm", **asked)
    except Exception as error:  # what it raises is no contract
        what = f"{model} on {system}, tensor parallel {profile.accelerators}"
        allowed = f"an engine that aiconfigurator-core knows ({error})"
        raise InvalidInputError(f"{field} aiconfigurator", what, allowed) from error


def _model(name: str) -> tuple[str, str | None]:
    """The model whose configuration it ships, and how its weights are quantised; None is as it says."""
    bare = name.rsplit("/", 1)[-1]
    base = bare.removesuffix("-FP8").removesuffix("-Instruct")
    gemm = "fp8_static" if bare.endswith("-FP8") else None
    return (f"meta-llama/Meta-{base}" if base.startswith("Llama-3.1") else name), gemm


def _prefill(engine: Any) -> Iterator[Point]:
    for prompts in _PROMPTS:
        for length in _LENGTHS:
            yield prompts, length, engine.predict_prefill_latency(prompts, length) / 1e3


def _decode(engine: Any) -> Iterator[Point]:
    for batch in _BATCHES:
        for context in _CONTEXTS:
            yield batch, context, engine.predict_decode_latency(batch, context) / 1e3
