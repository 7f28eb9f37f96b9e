"""Kubernetes durations: "500ms", "2s", "1m30s", "1h"."""

import re

from tandem.errors import InvalidInputError

PATTERN = r"^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$"
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def seconds(text: str, field: str = "duration") -> float:
    """Seconds of a Kubernetes duration; `field` names it in the error."""
    if not re.fullmatch(PATTERN, text):
        raise InvalidInputError(field, text, "a duration such as 500ms, 2s, 1m30s or 1h")
    return sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(text))


def text(value_s: float) -> str:
    """Seconds as a duration, to the millisecond: 0.23 is "230ms", 90.0 is "1m30s"."""
    milliseconds = round(value_s * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    whole, odd = divmod(rest, 1000)
    parts = [f"{minutes}m"] if minutes else []
    if odd and not minutes and not whole:
        return f"{odd}ms"
    if rest or not parts:
        parts.append(f"{whole}.{odd:03}".rstrip("0").rstrip(".") + "s")
    return "".join(parts)
