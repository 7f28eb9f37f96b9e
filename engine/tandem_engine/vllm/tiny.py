"""`tandem-engine tiny-model`: make a model small enough for real engines on one CPU core."""

import argparse
import subprocess
import sys
from pathlib import Path

from tandem.errors import InvalidInputError, TandemError


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Declare the flags of `tiny-model`."""
    parser.add_argument("folder", type=Path, help="where to put it; one that is complete is kept")
    parser.add_argument(
        "--python", type=Path, default=Path(sys.executable), help="interpreter that has vLLM"
    )


def run(flags: argparse.Namespace) -> int:
    """Make it with the engine's own interpreter, which has torch."""
    if not flags.python.exists():
        raise InvalidInputError("--python", str(flags.python), "a path that exists")
    script = Path(__file__).with_name("tiny_model.py")
    words = [str(flags.python), str(script), str(flags.folder)]
    made = subprocess.run(words, capture_output=True, text=True, check=False)  # noqa: S603 - as asked
    if made.returncode:
        raise TandemError(f"the tiny model was not made: {made.stderr.strip().splitlines()[-1:]}")
    return 0
