"""Which decisions are explained, which are kept, and how many there is room for."""

from dataclasses import replace

import pytest
from tests.planner.builders import pair

from tandem.planner import decisions as decisions_module
from tandem.planner.decisions import MOST, Decisions, from_text, to_text
from tandem.planner.explanation import Explanation, Target

EVERY_S = 60.0
SLO = Target(ttft_s=1.0, tpot_s=0.03, attainment=0.99)


def told(at_s: float | None, before: int = 2, after: int = 2) -> Explanation:
    return Explanation(
        at_s=at_s,
        policy="tandem",
        slo=SLO,
        before=pair(before, 1),
        wish=pair(after, 1),
        result=pair(after, 1),
    )


@pytest.mark.parametrize(
    ("last_s", "now_s", "moved", "due"),
    [
        pytest.param(None, 0.0, False, True, id="nothing is told yet"),
        pytest.param(100.0, 100.0 + EVERY_S - 1, False, False, id="it is fresh"),
        pytest.param(100.0, 100.0 + EVERY_S, False, True, id="it is a minute old"),
        pytest.param(100.0, 105.0, True, True, id="a target moved"),
        pytest.param(100.0, 99.0, False, True, id="the clock went back"),
        pytest.param(100.0, float("nan"), False, True, id="the clock tells no time"),
    ],
)
def test_a_decision_is_explained_when_something_moved_and_once_a_minute(
    last_s: float | None,
    now_s: float,
    moved: bool,  # noqa: FBT001
    due: bool,  # noqa: FBT001
) -> None:
    kept = Decisions(() if last_s is None else (told(last_s),))
    assert kept.is_due(now_s, EVERY_S, moved=moved) is due


def test_what_moved_nothing_makes_room_for_the_next() -> None:
    kept = Decisions()
    for newest in (told(1, 2, 3), told(2), told(3), told(4, 3, 4), told(5)):
        kept = kept.after(newest)

    assert [each.at_s for each in kept.told] == [5, 4, 1]


def test_the_last_few_are_kept() -> None:
    kept = Decisions()
    for second in range(9):
        kept = kept.after(told(second, second, second + 1))

    assert [each.at_s for each in kept.told] == [8, 7, 6, 5, 4]
    assert len(kept.told) == MOST
    assert from_text(to_text(kept)) == kept


def test_a_paused_fleet_moves_nothing() -> None:
    assert told(1, 2, 3).moved
    assert not replace(told(1, 2, 3), paused=True).moved
    assert not replace(told(1, 2, 3), before=None).moved


def test_the_oldest_go_where_there_is_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Decisions(tuple(told(second, 1, 2) for second in range(5)))
    size = len(to_text(Decisions(kept.told[:1])))
    monkeypatch.setattr(decisions_module, "MOST_BYTES", 3 * size)
    text = to_text(kept)

    assert len(text) <= 3 * size
    assert from_text(text).told == kept.told[:3]
    monkeypatch.setattr(decisions_module, "MOST_BYTES", 1)
    assert from_text(to_text(kept)).told == kept.told[:1]


@pytest.mark.parametrize("text", ["", "{", "{}", "7", '[{"policy":"tandem"}]', "[[]]", "[null]"])
def test_what_is_no_list_of_decisions_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        from_text(text)


def test_keys_of_another_release_are_passed_over() -> None:
    text = to_text(Decisions((told(1),)))
    assert from_text(text.replace('"policy"', '"news":[1],"policy"')).told == (told(1),)
