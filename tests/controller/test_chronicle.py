"""What is kept of a fleet's decisions, and what happens when it can't be."""

import logging
from math import inf

import pytest
from tests.fakes.decisions import FakeDecisions
from tests.planner.builders import P, observation, pair, spec

from tandem.cluster.kubernetes.api import ApiError
from tandem.controller.chronicle import Chronicle
from tandem.controller.pace import Pace
from tandem.planner.decisions import MOST, MOST_BYTES, to_text
from tandem.planner.model import Memory
from tandem.planner.plan import plan

SPEC = spec()


def chronicle(store: FakeDecisions, every_s: float = 300.0, pace: Pace | None = None) -> Chronicle:
    """One that may explain at every tick, unless a pace is given."""
    return Chronicle(store, every_s, pace or Pace(most_load=inf))


async def test_a_decision_is_told_as_it_was_made() -> None:
    store, seen = FakeDecisions(), observation(1000.0, rate_rps=60.0)
    await chronicle(store).note(seen, Memory(), SPEC, moved=True)
    (told,) = store.kept.told

    assert told.at_s == 1000.0
    assert told.result == {role: d.target for role, d in plan(seen, Memory(), SPEC).roles.items()}
    assert told.what_if.more


async def test_ticks_in_between_are_not_told() -> None:
    store = FakeDecisions()
    noting = chronicle(store, every_s=60.0)
    for tick in range(25):
        await noting.note(observation(1000.0 + 5 * tick), Memory(), SPEC, moved=False)

    assert store.saves == 3
    assert store.kept.told[0].at_s == 1120.0


async def test_a_new_operator_goes_on_with_what_the_old_one_kept() -> None:
    store = FakeDecisions()
    await chronicle(store).note(observation(1000.0, rate_rps=60.0), Memory(), SPEC, moved=True)
    await chronicle(store).note(observation(1005.0, rate_rps=60.0), Memory(), SPEC, moved=True)

    assert [each.at_s for each in store.kept.told] == [1005.0, 1000.0]


@pytest.mark.parametrize(
    "error", [ApiError("PATCH", 403, "Forbidden", "no"), OSError("gone"), ValueError("a bug")]
)
async def test_one_that_can_not_be_kept_is_said_and_kept_with_the_next(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    store = FakeDecisions(error=error)
    noting = chronicle(store)
    with caplog.at_level(logging.WARNING):
        await noting.note(observation(1000.0, rate_rps=60.0), Memory(), SPEC, moved=True)
    assert "a decision is not kept" in caplog.text

    store.error = None
    await noting.note(observation(1005.0, rate_rps=60.0), Memory(), SPEC, moved=True)
    assert [each.at_s for each in store.kept.told] == [1005.0, 1000.0]


class Clock:
    """Seconds that a test sets."""

    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


async def test_moves_beyond_the_pace_are_told_at_later_ticks_in_their_order() -> None:
    store, clock = FakeDecisions(), Clock()
    noting = chronicle(store, pace=Pace(now_s=clock))
    for now_s in (1000.0, 1005.0, 1010.0):
        await noting.note(observation(now_s, rate_rps=60.0), Memory(), SPEC, moved=True)
    assert [each.at_s for each in store.kept.told] == [1000.0]

    for tick in range(3):
        clock.now_s += 1000.0
        await noting.note(observation(1015.0 + 5 * tick), Memory(), SPEC, moved=False)
    assert [each.at_s for each in store.kept.told] == [1010.0, 1005.0, 1000.0]


async def test_of_moves_that_wait_those_are_told_that_would_be_kept() -> None:
    store, clock = FakeDecisions(), Clock()
    noting = chronicle(store, pace=Pace(now_s=clock))
    for tick in range(MOST + 3):
        await noting.note(observation(5.0 * tick, rate_rps=60.0), Memory(), SPEC, moved=True)
    for _ in range(2 * MOST):
        clock.now_s += 1000.0
        await noting.note(observation(100.0), Memory(), SPEC, moved=False)

    assert store.saves == 1 + MOST
    assert [each.at_s for each in store.kept.told] == [35.0, 30.0, 25.0, 20.0, 15.0]


async def test_fleets_that_move_at_once_are_told_one_after_the_other() -> None:
    stores, clock = [FakeDecisions() for _ in range(3)], Clock()
    pace = Pace(now_s=clock)
    fleets = [chronicle(store, pace=pace) for store in stores]
    for fleet in fleets:
        await fleet.note(observation(1000.0, rate_rps=60.0), Memory(), SPEC, moved=True)
    saves = [[store.saves for store in stores]]
    for _ in range(2):
        clock.now_s += 1000.0
        for fleet in fleets:
            await fleet.note(observation(1005.0), Memory(), SPEC, moved=False)
        saves.append([store.saves for store in stores])

    assert saves == [[1, 0, 0], [1, 1, 0], [1, 1, 1]]


class HalfUsed(Pace):
    """A pace that has room for what asks for all of it."""

    def is_free(self, share: float = 1.0) -> bool:
        return share == 1.0


async def test_a_move_goes_before_what_is_only_told_anew() -> None:
    still, moving = FakeDecisions(), FakeDecisions()
    pace = HalfUsed()
    await chronicle(still, pace=pace).note(observation(1000.0), Memory(), SPEC, moved=False)
    await chronicle(moving, pace=pace).note(observation(1000.0), Memory(), SPEC, moved=True)

    assert (still.saves, moving.saves) == (0, 1)


async def test_five_decisions_of_a_busy_fleet_have_room() -> None:
    store = FakeDecisions()
    noting, memory = chronicle(store), Memory()
    asked = spec(high=(4, 4))
    for tick in range(1, 7):
        seen = observation(5.0 * tick, rate_rps=20.0 * tick, pods=pair(tick, tick))
        await noting.note(seen, memory, asked, moved=True)
        memory = plan(seen, memory, asked).memory

    assert len(store.kept.told) == 5
    text = to_text(store.kept)
    assert len(text) <= MOST_BYTES
    assert text.count('"at_s"') == 5
    assert store.kept.told[0].limits[0].before[P] > 4
