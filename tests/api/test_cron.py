"""Cron lines name the moments that Debian's cron would run at, on days when clocks change as well."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from hypothesis import given
from hypothesis import strategies as st
from tests.examples import fewer

from tandem.api import cron

DAY_S = 86400.0
BERLIN = "Europe/Berlin"


def utc(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("line", "until", "expected"),
    [
        pytest.param("0 9 * * 1-5", "2026-01-05 08:00", "2026-01-05 08:00", id="at the moment"),
        pytest.param("0 9 * * 1-5", "2026-01-05 07:59", "2026-01-02 08:00", id="after a weekend"),
        pytest.param("0 9 * * *", "2026-03-28 12:00", "2026-03-28 08:00", id="in winter"),
        pytest.param(
            "0 9 * * *", "2026-03-29 12:00", "2026-03-29 07:00", id="put forward, 9 later"
        ),
        pytest.param("30 2 * * *", "2026-03-29 12:00", "2026-03-29 01:00", id="2:30 was skipped"),
        pytest.param("0 9 * * *", "2026-10-25 12:00", "2026-10-25 08:00", id="put back, 9 later"),
        pytest.param("30 2 * * *", "2026-10-25 12:00", "2026-10-25 00:30", id="the first 2:30"),
        pytest.param("*/30 * * * *", "2026-10-25 01:40", "2026-10-25 01:30", id="both half hours"),
        pytest.param("0 9 29 2 *", "2026-10-25 01:40", None, id="not within four days"),
    ],
)
def test_the_last_moment_of_a_line(line: str, until: str, expected: str | None) -> None:
    found = cron.latest(line, BERLIN, utc(until) - 4 * DAY_S, utc(until))

    assert found == (None if expected is None else utc(expected))


def test_a_moment_counts_after_one_time_and_up_to_another() -> None:
    nine_s = utc("2026-01-05 09:00")

    assert cron.latest("0 9 * * *", "UTC", nine_s - 1, nine_s) == nine_s
    assert cron.latest("0 9 * * *", "UTC", nine_s, nine_s + 60) is None
    assert cron.latest("0 9 * * *", "UTC", nine_s - 60, nine_s - 1) is None


@fewer(150)
@given(
    line=st.sampled_from(
        ["0 9 * * 1-5", "30 2 * * *", "15,45 0-3 * * *", "*/20 * * * *", "59 23 L * *", "0 0 * * *"]
    ),
    zone=st.sampled_from(
        [BERLIN, "UTC", "America/New_York", "America/Nuuk", "Australia/Lord_Howe", "Asia/Beirut"]
    ),
    until_s=st.one_of(
        st.integers(int(utc("2026-01-01 00:00")), int(utc("2028-01-01 00:00"))),
        *(
            st.integers(int(utc(day)) - 90_000, int(utc(day)) + 90_000)
            for day in ("2026-03-08 07:00", "2026-03-29 01:00", "2026-10-25 01:00")
        ),
    ),
    span_s=st.floats(1, 2 * DAY_S),
)
def test_it_is_the_last_that_cron_itself_would_name(
    line: str, zone: str, until_s: int, span_s: float
) -> None:
    start = datetime.fromtimestamp(until_s, UTC) - timedelta(days=5)
    named = []
    for moment in CronSim(line, start.astimezone(ZoneInfo(zone))):
        if moment.timestamp() > until_s:
            break
        named.append(moment.timestamp())
    expected = max((at_s for at_s in named if at_s > until_s - span_s), default=None)

    assert cron.latest(line, zone, until_s - span_s, until_s) == expected


@pytest.mark.parametrize("now_s", [-1.0, 1e15, float("inf"), float("nan")])
def test_a_clock_that_tells_no_time_has_no_moment(now_s: float) -> None:
    assert cron.latest("* * * * *", "UTC", now_s - 60, now_s) is None


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("0 9 * * 1-5", True),
        ("*/15 8-18 * jan-mar mon,wed", True),
        ("0 0 29 2 *", True),
        ("0 0 31 2 *", False),
        ("* * */20 * 1L", False),
        ("60 * * * *", False),
        ("0 9 * *", False),
        ("0 9 * * 1-5 2026", False),
        ("@daily", False),
        ("", False),
    ],
)
def test_a_line_that_no_moment_meets_is_none(line: str, expected: bool) -> None:  # noqa: FBT001
    assert cron.is_line(line) is expected


@pytest.mark.parametrize("name", ["Europe", "Mars/Olympus", "", "../UTC", "zone.tab", "A" * 300])
def test_what_the_database_does_not_know_is_no_zone(name: str) -> None:
    assert not cron.is_zone(name)
