import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.api import duration
from tandem.errors import InvalidInputError


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("500ms", 0.5), ("2s", 2.0), ("1m30s", 90.0), ("1h", 3600.0), ("1.5h", 5400.0), ("0s", 0.0)],
)
def test_a_duration_is_the_sum_of_its_parts(text: str, seconds: float) -> None:
    assert duration.seconds(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "5", "5 s", "-5s", "s", "5d", "1s2", "1e3s", "5s\n", "٥s"])
def test_what_is_no_duration_is_refused_by_name(text: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        duration.seconds(text, "spec.interval")

    assert caught.value.field == "spec.interval"
    assert caught.value.value == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        pytest.param(0.23, "230ms", id="below a second"),
        pytest.param(2.0, "2s", id="whole"),
        pytest.param(2.25, "2.25s", id="part of a second"),
        pytest.param(90.0, "1m30s", id="minutes"),
        pytest.param(120.0, "2m", id="whole minutes"),
        pytest.param(60.5, "1m0.5s", id="minutes and a part"),
        pytest.param(0.0, "0s", id="nothing"),
        pytest.param(0.0004, "0s", id="below a millisecond"),
    ],
)
def test_seconds_are_written_shortly(seconds: float, text: str) -> None:
    assert duration.text(seconds) == text


@given(milliseconds=st.integers(0, 10**9))
def test_what_is_written_reads_the_same(milliseconds: int) -> None:
    text = duration.text(milliseconds / 1000)

    assert duration.seconds(text) == pytest.approx(milliseconds / 1000, abs=1e-6)
