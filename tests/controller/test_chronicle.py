"""What is kept of a fleet's decisions, and what happens when it can't be."""

import logging

import pytest
from tests.fakes.decisions import FakeDecisions
from tests.planner.builders import P, observation, pair, spec

from tandem.cluster.kubernetes.api import ApiError
from tandem.controller.chronicle import Chronicle
from tandem.planner.decisions import MOST_BYTES, to_text
from tandem.planner.model import Memory
from tandem.planner.plan import plan

SPEC = spec()


async def test_a_decision_is_told_as_it_was_made() -> None:
    store, seen = FakeDecisions(), observation(1000.0, rate_rps=60.0)
    await Chronicle(store).note(seen, Memory(), SPEC, moved=True)
    (told,) = store.kept.told

    assert told.at_s == 1000.0
    assert told.result == {role: d.target for role, d in plan(seen, Memory(), SPEC).roles.items()}
    assert told.what_if.more


async def test_ticks_in_between_are_not_told() -> None:
    store = FakeDecisions()
    chronicle = Chronicle(store, every_s=60.0)
    for tick in range(25):
        await chronicle.note(observation(1000.0 + 5 * tick), Memory(), SPEC, moved=False)

    assert store.saves == 3
    assert store.kept.told[0].at_s == 1120.0


async def test_a_new_operator_goes_on_with_what_the_old_one_kept() -> None:
    store = FakeDecisions()
    await Chronicle(store).note(observation(1000.0, rate_rps=60.0), Memory(), SPEC, moved=True)
    await Chronicle(store).note(observation(1005.0, rate_rps=60.0), Memory(), SPEC, moved=True)

    assert [each.at_s for each in store.kept.told] == [1005.0, 1000.0]


@pytest.mark.parametrize(
    "error", [ApiError("PATCH", 403, "Forbidden", "no"), OSError("gone"), ValueError("a bug")]
)
async def test_one_that_can_not_be_kept_is_said_and_kept_with_the_next(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    store = FakeDecisions(error=error)
    chronicle = Chronicle(store)
    with caplog.at_level(logging.WARNING):
        await chronicle.note(observation(1000.0, rate_rps=60.0), Memory(), SPEC, moved=True)
    assert "a decision is not kept" in caplog.text

    store.error = None
    await chronicle.note(observation(1005.0, rate_rps=60.0), Memory(), SPEC, moved=True)
    assert [each.at_s for each in store.kept.told] == [1005.0, 1000.0]


async def test_five_decisions_of_a_busy_fleet_have_room() -> None:
    store = FakeDecisions()
    chronicle, memory = Chronicle(store), Memory()
    asked = spec(high=(4, 4))
    for tick in range(1, 7):
        seen = observation(5.0 * tick, rate_rps=20.0 * tick, pods=pair(tick, tick))
        await chronicle.note(seen, memory, asked, moved=True)
        memory = plan(seen, memory, asked).memory

    assert len(store.kept.told) == 5
    text = to_text(store.kept)
    assert len(text) <= MOST_BYTES
    assert text.count('"at_s"') == 5
    assert store.kept.told[0].limits[0].before[P] > 4
