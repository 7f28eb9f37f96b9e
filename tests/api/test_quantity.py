from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.api import quantity
from tandem.errors import InvalidInputError


@pytest.mark.parametrize(
    ("text", "amount"),
    [("4.10", "4.1"), ("250m", "0.25"), ("1k", "1000"), ("1.5k", "1500"), ("0", "0")],
)
def test_a_quantity_is_exact(text: str, amount: str) -> None:
    assert quantity.amount(text) == Decimal(amount)


@pytest.mark.parametrize("text", ["", "$4", "4,10", "-1", "1e3", "4.", ".5", "4Gi", "m", "4\n"])
def test_what_is_no_quantity_is_refused_by_name(text: str) -> None:
    with pytest.raises(InvalidInputError, match=r"^spec\.cost: "):
        quantity.amount(text, "spec.cost")


@given(number=st.decimals(0, 10**9, places=6))
def test_what_is_written_reads_the_same(number: Decimal) -> None:
    assert quantity.amount(quantity.text(number)) == number


@pytest.mark.parametrize(("number", "text"), [("0", "0"), ("100", "100"), ("4.10", "4.1")])
def test_a_number_is_written_without_trailing_zeros_of_its_fraction(number: str, text: str) -> None:
    assert quantity.text(Decimal(number)) == text
