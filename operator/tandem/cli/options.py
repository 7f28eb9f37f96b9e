"""Values that several commands take, checked once: a mistake names the flag, the value and what is allowed."""

import os
from collections.abc import Sequence
from math import isfinite
from pathlib import Path

from tandem.api import duration
from tandem.errors import InvalidInputError


def seconds(flag: str, text: str) -> float:
    """A duration above zero ("500ms", "2s")."""
    value = duration.seconds(text, flag)
    if not 0 < value < float("inf"):
        raise InvalidInputError(flag, text, "a duration above zero")
    return value


def positive(flag: str, value: float) -> float:
    """A finite number above zero."""
    if not (isfinite(value) and value > 0):
        raise InvalidInputError(flag, value, "a finite number above 0")
    return value


def not_negative(flag: str, value: float) -> float:
    """A finite number, 0 among them."""
    if not (isfinite(value) and value >= 0):
        raise InvalidInputError(flag, value, "a finite number, 0 or more")
    return value


def share(flag: str, value: float) -> float:
    """A share strictly between 0 and 1."""
    if not 0 < value < 1:
        raise InvalidInputError(flag, value, "a share between 0 and 1, such as 0.99")
    return value


def bounds(role: str, low: int, high: int) -> tuple[int, int]:
    """Replica bounds of one role, min <= max."""
    if low < 0:
        raise InvalidInputError(f"--min-{role}", low, "0 or more")
    if low > high:
        raise InvalidInputError(f"--min-{role}", low, f"at most --max-{role} ({high})")
    return low, high


def within(flag: str, value: int, bounds: tuple[int, int]) -> int:
    """A number of replicas within a role's bounds."""
    low, high = bounds
    if not low <= value <= high:
        raise InvalidInputError(flag, value, f"{low} to {high}, the role's bounds")
    return value


def one_of(flag: str, value: str, allowed: Sequence[str]) -> str:
    """One word of a list."""
    if value not in allowed:
        raise InvalidInputError(flag, value, f"one of {', '.join(allowed)}")
    return value


def writable(flag: str, path: Path | None) -> Path | None:
    """A file that can be written, told before the work that fills it; or none."""
    if path is None:
        return None
    if path.is_dir():
        raise InvalidInputError(flag, str(path), "a file, not a folder")
    if not os.access(path.parent, os.W_OK):
        raise InvalidInputError(
            flag, str(path), "a file in a folder that exists and can be written"
        )
    return path


def parameters(pairs: Sequence[str] | None, flag: str = "--param") -> dict[str, float]:
    """NAME=VALUE pairs as numbers; which names a policy knows is checked with the policy."""
    found = {}
    for pair in pairs or ():
        name, _, text = pair.partition("=")
        try:
            found[name] = float(text)
        except ValueError:
            raise InvalidInputError(flag, pair, "NAME=VALUE with a number as value") from None
    return found


def data_folder() -> Path | None:
    """The folder of real traces and timings that $TANDEM_DATA names."""
    named = os.environ.get("TANDEM_DATA")
    return Path(named) if named else None


def ratio(flag: str, text: str | None) -> tuple[int, int] | None:
    """Prefill to decode replicas ("1:6"), or none."""
    if text is None:
        return None
    prefill, _, decode = text.partition(":")
    if not (prefill.isdecimal() and decode.isdecimal() and int(prefill) + int(decode) > 0):
        raise InvalidInputError(flag, text, "prefill to decode as two whole numbers, such as 1:6")
    return int(prefill), int(decode)
