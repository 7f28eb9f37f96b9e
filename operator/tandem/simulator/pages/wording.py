"""Numbers as a person reads them."""

from datetime import timedelta
from math import floor, isnan

NOTHING = "–"
_GAP = "\u00a0"  # a number and its unit stay on one line
_MILLI = 1000.0
_THOUSAND = 1000.0


def share(value: float | None) -> str:
    """A share in percent, cut rather than rounded: what missed 99 % never reads as 99 %."""
    if value is None or isnan(value):
        return NOTHING
    return f"{floor(value * 1e4 + 1e-9) / 100:.2f}{_GAP}%"


def goal(value: float) -> str:
    """A share that was asked, as it was asked."""
    return f"{value * 100:.6g}{_GAP}%"


def seconds(value: float | None) -> str:
    """A duration in the unit that fits it, three digits."""
    if value is None or isnan(value):
        return NOTHING
    if value < 1:
        return f"{value * _MILLI:.3g}{_GAP}ms"
    return f"{value:.3g}{_GAP}s" if value < _THOUSAND else f"{value:,.0f}{_GAP}s"


def clock(value: float) -> str:
    """Time of a run as 1:02:03."""
    return str(timedelta(seconds=int(value)))


def plain(value: float | None, digits: int = 2) -> str:
    """A number with its thousands set apart."""
    return NOTHING if value is None or isnan(value) else f"{value:,.{digits}f}"


def count(value: int) -> str:
    """A whole number with its thousands set apart."""
    return f"{value:,}"
