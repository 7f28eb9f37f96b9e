"""Kubernetes quantities as far as prices need them: "4.10", "250m" (0.25), "1.5k" (1500)."""

import re
from decimal import Context, Decimal

from tandem.errors import InvalidInputError

PATTERN = r"^[0-9]+(\.[0-9]+)?[mk]?$"
_SCALE = {"m": Decimal("0.001"), "": Decimal(1), "k": Decimal(1000)}
_PLACES = Decimal("1e-30")  # a third of a price, times three, is the same float again
_DIGITS = Context(prec=80)  # what the longest quantity needs


def amount(text: str, field: str = "quantity") -> Decimal:
    """The number a quantity stands for, exactly; `field` names it in the error."""
    if not re.fullmatch(PATTERN, text):
        raise InvalidInputError(field, text, 'a quantity such as "4.10", "250m" or "1k"')
    digits = text.rstrip("mk")
    return Decimal(digits) * _SCALE[text[len(digits) :]]


def text(number: Decimal) -> str:
    """A number as a quantity, to 30 places, without trailing zeros."""
    digits = f"{number.quantize(_PLACES, context=_DIGITS):f}"
    return digits.rstrip("0").rstrip(".")  # there always is a fraction, so "100" keeps its zeros
