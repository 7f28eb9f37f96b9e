"""What end-to-end tests need of the machine; on CI what is missing is a failure, elsewhere a skip."""

import os
import subprocess
from pathlib import Path
from typing import NoReturn

import pytest

ROOT = Path(__file__).parents[1]


def missing(reason: str) -> NoReturn:
    """Skip with a reason; with CI=true fail with it."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def vllm_python() -> Path:
    """The interpreter of the real engine's environment."""
    python = ROOT / ".venv-vllm" / "bin" / "python"
    if not python.exists():
        missing("no .venv-vllm: `make venv-vllm` makes it (6 GB)")
    return python


@pytest.fixture(scope="session")
def tiny_model(vllm_python: Path) -> Path:
    """A model that real engines serve on one CPU core; made once, some seconds."""
    folder = ROOT / ".cache" / "tiny-model"
    script = ROOT / "engine" / "tandem_engine" / "vllm" / "tiny_model.py"
    subprocess.run([str(vllm_python), str(script), str(folder)], check=True)
    return folder
