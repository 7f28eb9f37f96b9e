"""Which engine a local fleet runs, and what follows from that."""

import os
from dataclasses import dataclass, replace
from pathlib import Path

from tandem.cluster.local.engines import (
    EmulatorLauncher,
    EngineLauncher,
    VllmLauncher,
    make_tiny_model,
)
from tandem.errors import InvalidInputError
from tandem.perf import profile_file
from tandem.perf.engine_profile import EngineProfile
from tandem.perf.library import profile as named_profile
from tandem.traces.request import TraceRequest

ENGINES = ("emulator", "vllm")
DRAIN_S = 60.0
_DEFAULT_PROFILE = "a100-opt-13b-tp1"
_DEFAULT_COLD_START_S = 5.0
_CPU_PROFILE = Path(__file__).parents[2] / "cluster" / "local" / "cpu-tiny-llama.toml"
_CPU_CONTEXT_TOKENS = 2048
_PROJECT = Path(__file__).parents[4]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenEngine:
    """An engine with its profile; `context_tokens` bounds prompt and answer together."""

    profile: EngineProfile
    launcher: EngineLauncher
    model: str
    lead_time_s: float
    context_tokens: int

    def profile_path(self, folder: Path) -> Path:
        """The file in a fleet's folder from which its other processes read the profile."""
        return _profile_path(self.profile, folder)


def emulator(
    profile_name: str | None, cold_start_s: float | None, kv_lease_s: float, folder: Path
) -> ChosenEngine:
    """The emulator with a profile of the library or of a file."""
    profile = named_profile(profile_name or _DEFAULT_PROFILE)
    lead_time_s = cold_start_s or _DEFAULT_COLD_START_S
    launcher = EmulatorLauncher(
        profile=_written(profile, folder),
        model=profile.model,
        cold_start_s=lead_time_s,
        kv_lease_s=round(kv_lease_s),
        drain_s=DRAIN_S,
    )
    return ChosenEngine(
        profile=profile,
        launcher=launcher,
        model=profile.model,
        lead_time_s=lead_time_s,
        context_tokens=profile.kv.capacity_tokens,
    )


def vllm(
    profile_name: str | None, cold_start_s: float | None, kv_lease_s: float, folder: Path
) -> ChosenEngine:
    """Real vLLM on CPU serving a tiny model, which is made first."""
    profile = named_profile(profile_name) if profile_name else profile_file.read(_CPU_PROFILE, "-")
    _written(profile, folder)
    python = _vllm_python()
    model = folder / "tiny-model"
    make_tiny_model(python, model)
    launcher = VllmLauncher(
        python=python,
        model=model,
        served_name="tiny",
        kv_lease_s=round(kv_lease_s),
        drain_s=kv_lease_s + 5.0,
    )
    return ChosenEngine(
        profile=profile,
        launcher=launcher,
        model="tiny",
        lead_time_s=cold_start_s or profile.cold_start_total_s,
        context_tokens=_CPU_CONTEXT_TOKENS,
    )


def fitting(request: TraceRequest, context_tokens: int) -> TraceRequest:
    """The request, cut where it passes an engine's context: the answer to a quarter, the prompt to the rest."""
    if request.input_tokens + request.output_tokens <= context_tokens:
        return request
    output_tokens = min(request.output_tokens, context_tokens // 4)
    input_tokens = min(request.input_tokens, context_tokens - output_tokens)
    return replace(request, input_tokens=input_tokens, output_tokens=output_tokens)


def _profile_path(profile: EngineProfile, folder: Path) -> Path:
    return folder / f"{profile.name}.json"


def _written(profile: EngineProfile, folder: Path) -> Path:
    """The profile's file in the fleet's folder, for the fleet's other processes."""
    path = _profile_path(profile, folder)
    try:
        profile_file.write(profile, path)
    except OSError as error:
        allowed = f"a folder to write to ({error.strerror})"
        raise InvalidInputError("--dir", str(folder), allowed) from error
    return path


def _vllm_python() -> Path:
    """The interpreter that has vLLM: $TANDEM_VLLM_PYTHON, else that of `make venv-vllm`."""
    python = Path(os.environ.get("TANDEM_VLLM_PYTHON", _PROJECT / ".venv-vllm/bin/python"))
    if not python.exists():
        allowed = "emulator, or vllm after `make venv-vllm` or with $TANDEM_VLLM_PYTHON set"
        raise InvalidInputError("--engine", "vllm", allowed)
    return python
