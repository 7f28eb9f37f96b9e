"""Floors over time, by the clock of the people who wrote them: in the manner of "at 8:58 expect 4"."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from tests.planner.builders import D, P, counts, observation, pair, spec

from tandem.planner import limits
from tandem.planner.model import Memory, Plan
from tandem.planner.observation import Missing, Reading
from tandem.planner.plan import plan
from tandem.planner.schedules import floor
from tandem.planner.situation import Limited, Situation
from tandem.planner.spec import Behavior, Budget, FleetSpec, RatioBounds, Schedule

BERLIN = "Europe/Berlin"
MORNING = Schedule(cron="0 9 * * 1-5", timezone=BERLIN, lasts_s=8 * 3600, floors=pair(4, 6))
PACE = Behavior(up_max_step=2, down_window_s=60.0, down_max_step=2)


def at(text: str, zone: str = BERLIN) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


def scheduled(*schedules: Schedule, **fields: Any) -> FleetSpec:
    """Pods need 115 s and looks are 5 s apart: floors stand from two minutes before."""
    return spec(schedules=schedules, **{"lead_time_s": 115.0, "behavior": PACE, **fields})


def floors(asked: FleetSpec, now_s: float) -> tuple[int, int]:
    found = (floor(asked, role, now_s) for role in (P, D))
    prefill, decode = (0 if each is None else each.replicas for each in found)
    return prefill, decode


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        pytest.param("2026-03-30 08:57:59", (0, 0), id="not yet"),
        pytest.param("2026-03-30 08:58:00", (4, 6), id="a lead time and a look before"),
        pytest.param("2026-03-30 16:59:59", (4, 6), id="until it has lasted"),
        pytest.param("2026-03-30 17:00:00", (0, 0), id="over"),
        pytest.param("2026-03-28 12:00:00", (0, 0), id="Saturday"),
    ],
)
def test_a_floor_stands_from_a_lead_time_before_its_moment(
    now: str, expected: tuple[int, int]
) -> None:
    assert floors(scheduled(MORNING), at(now)) == expected


def test_each_role_has_its_own_lead_time() -> None:
    asked = scheduled(MORNING)
    slow = replace(asked.roles[D], lead_time_s=595.0)
    asked = replace(asked, roles={**asked.roles, D: slow})

    assert floors(asked, at("2026-03-30 08:50:00")) == (0, 6)


def test_of_several_floors_the_highest_counts_for_each_role() -> None:
    noon = replace(MORNING, cron="0 12 * * *", lasts_s=3600.0, floors={P: 9, D: 2})
    asked = scheduled(MORNING, noon)

    assert floors(asked, at("2026-03-30 12:30")) == (9, 6)
    assert floors(asked, at("2026-03-29 12:30")) == (9, 2)  # a Sunday
    assert floors(asked, at("2026-03-30 13:30")) == (4, 6)


@pytest.mark.parametrize(
    ("day", "stands"),
    [
        pytest.param(
            "2026-03-29", ("01:58", "05:00"), id="02:30 is skipped, so from 03:00 to 05:00"
        ),
        pytest.param("2026-10-25", ("02:28", "03:30"), id="the first 02:30, and two hours"),
    ],
)
def test_a_floor_of_two_hours_lasts_two_hours_on_the_days_when_clocks_change(
    day: str, stands: tuple[str, str]
) -> None:
    night = Schedule(cron="30 2 * * *", timezone=BERLIN, lasts_s=7200.0, floors={P: 4})
    asked = scheduled(night)
    begin_s, end_s = (at(f"{day} {time}") for time in stands)
    standing = [now_s for now_s in _minutes(day) if floors(asked, now_s) == (4, 0)]

    assert (standing[0], standing[-1] + 60) == (begin_s, end_s)
    assert len(standing) * 60 == end_s - begin_s == 7200 + 120


def _minutes(day: str) -> Iterator[float]:
    first_s = int(at(f"{day} 00:00"))
    return (float(now_s) for now_s in range(first_s, first_s + 6 * 3600, 60))


@pytest.mark.parametrize("now_s", [float("nan"), float("inf"), -1e9, 1e18, 0.0])
def test_a_clock_that_tells_no_time_has_no_floor(now_s: float) -> None:
    assert floors(scheduled(MORNING), now_s) == (0, 0)


def played(
    asked: FleetSpec, begin: str, end: str, rate_rps: float | Reading = 10.0
) -> dict[str, tuple[tuple[int, int], Plan]]:
    """Plans by the clock, HH:MM:SS; pods are there as soon as they are asked for."""
    memory, replicas, told = Memory(), pair(2, 2), {}
    now_s = at(begin)
    while now_s <= at(end):
        decided = plan(observation(now_s, rate_rps=rate_rps, pods=replicas), memory, asked)
        memory = decided.memory
        replicas = {role: each.target for role, each in decided.roles.items()}
        clock = datetime.fromtimestamp(now_s, ZoneInfo(BERLIN)).strftime("%H:%M:%S")
        told[clock] = counts(replicas), decided
        now_s += 5.0
    return told


def test_known_demand_finds_its_replicas_and_leaves_them_afterwards() -> None:
    """All at once, whatever the step: it was known long before. And down again at the usual pace."""
    asked = scheduled(replace(MORNING, lasts_s=600.0))
    told = played(asked, "2026-03-30 08:50", "2026-03-30 09:15")
    pods = {clock: each for clock, (each, _) in told.items()}

    assert pods["08:57:55"] < (4, 6)
    assert pods["08:58:00"] == (4, 6)
    assert pods["09:09:55"] == (4, 6)
    assert pods["09:10:00"][1] == 4  # two fewer at a time
    assert pods["09:15:00"] == pods["08:57:55"]
    reason = told["08:58:00"][1].roles[D].reason
    assert reason.endswith(
        "schedule 1 -> 6: schedule 0 9 * * 1-5 (Europe/Berlin):"
        " ready from 2026-03-30 09:00 to 2026-03-30 09:10"
    )


def test_a_floor_needs_no_figures() -> None:
    told = played(
        scheduled(MORNING), "2026-03-30 08:57", "2026-03-30 08:59", rate_rps=Missing("no scrape")
    )

    assert told["08:57:55"][0] == (2, 2)
    assert told["08:58:00"][0] == (4, 6)
    assert [c.limit for c in told["08:58:00"][1].roles[P].clamps] == ["schedule"]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param({}, (4, 6), id="as it is"),
        pytest.param({"high": (3, 64)}, (3, 6), id="a maximum is harder"),
        pytest.param({"ratio": RatioBounds(lowest=(1, 1))}, (6, 6), id="a ratio raises the other"),
        pytest.param({"budget": Budget(accelerators=8)}, (3, 5), id="a budget is hardest"),
    ],
)
def test_a_floor_stays_within_what_is_harder(
    fields: dict[str, Any], expected: tuple[int, int]
) -> None:
    seen = observation(at("2026-03-30 10:00"), pods=pair(2, 2))
    where = Situation(observation=seen, memory=Memory(), spec=scheduled(MORNING, **fields))

    assert counts(limits.limited(where, pair(2, 2))[0]) == expected


def test_a_fleet_without_schedules_has_no_floor() -> None:
    where = Situation(
        observation=observation(at("2026-03-30 10:00")), memory=Memory(), spec=scheduled()
    )

    assert limits.schedule(where, pair(1, 1)) == Limited(pair(1, 1))
