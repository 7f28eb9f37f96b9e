"""What every test may rely on: reproducible properties, and real data where it is named."""

import os
from pathlib import Path

import pytest
from hypothesis import settings
from tests.examples import SHORT

# No deadline: the machines of CI are shared. Derandomised: a red run must be red again.
# `pytest --hypothesis-profile=long` looks further.
settings.register_profile("short", deadline=None, derandomize=True, max_examples=SHORT)
settings.register_profile("long", deadline=None, derandomize=True, max_examples=10_000)
settings.load_profile("short")

# Tests read the source as it stands; `test_compiled.py` compares it with what is compiled of it.
os.environ.setdefault("TANDEM_COMPILED", "0")


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of real traces and timings that $TANDEM_DATA names."""
    named = os.environ.get("TANDEM_DATA")
    folder = Path(named) if named else None
    if folder is not None and folder.is_dir():
        return folder
    reason = f"$TANDEM_DATA is {named!r}, not a folder of real traces and timings"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
