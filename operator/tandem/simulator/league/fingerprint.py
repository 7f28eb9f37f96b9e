"""Digests of all that decides a result besides the job: the source that plays it, and files."""

from functools import cache
from hashlib import sha256
from importlib.resources import files
from pathlib import Path

import numpy as np

from tandem.errors import InvalidInputError

_DECIDES = (  # what a report looks like decides no result
    "api/**/*.py",
    "perf/**/*.py",
    "perf/profiles/*.toml",
    "planner/**/*.py",
    "routing/**/*.py",
    "traces/**/*.py",
    "simulator/*.py",
    "simulator/pages/columns.py",
    "simulator/pages/verdicts.py",
    "simulator/league/play.py",
    "simulator/league/arrivals.py",
    "simulator/league/fleet.py",
    "simulator/league/floor.py",
    "simulator/league/job.py",
    "simulator/league/least.py",
    "simulator/league/schedule.py",
    "simulator/league/smooth.py",
    "simulator/league/steps.py",
)
_SHOWN = 12  # digits, enough to tell two versions apart


@cache
def source() -> str:
    """Digest of the source of everything that decides a result, and of the NumPy that computes it."""
    root = Path(str(files("tandem")))
    digest = sha256(np.__version__.encode())
    for path in sorted({path for pattern in _DECIDES for path in root.glob(pattern)}):
        digest.update(str(path.relative_to(root)).encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def shown(digest: str) -> str:
    """A digest as people compare it."""
    return digest[:_SHOWN]


def of_file(path: Path, field: str) -> str:
    """Digest of a file's bytes; one that can't be read is named by the flag that gave it."""
    try:
        return sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise InvalidInputError(field, str(path), f"a file that can be read ({why})") from None
