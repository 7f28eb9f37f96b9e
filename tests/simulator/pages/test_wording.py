"""Numbers as a person reads them."""

import pytest

from tandem.simulator.pages import wording


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (0.99, "99.00 %"),
        (0.989996, "98.99 %"),
        (1.0, "100.00 %"),
        (0.99999, "99.99 %"),
        (0.0, "0.00 %"),
        (0.07, "7.00 %"),
        (None, "–"),
        (float("nan"), "–"),
    ],
)
def test_a_share_is_never_rounded_up(value: float | None, read: str) -> None:
    assert wording.share(value).replace("\u00a0", " ") == read


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (0.0, "0 ms"),
        (0.0345, "34.5 ms"),
        (1.0, "1 s"),
        (12.34, "12.3 s"),
        (4321.0, "4,321 s"),
        (None, "–"),
        (float("nan"), "–"),
    ],
)
def test_a_duration_has_the_unit_that_fits(value: float | None, read: str) -> None:
    assert wording.seconds(value).replace("\u00a0", " ") == read


def test_what_was_asked_stands_as_it_was_asked() -> None:
    assert [wording.goal(share) for share in (0.99, 0.999, 0.5)] == [
        "99\u00a0%",
        "99.9\u00a0%",
        "50\u00a0%",
    ]
