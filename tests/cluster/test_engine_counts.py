"""Tokens that engines generated since the last look, and when the figure is only a lower bound."""

from collections.abc import Mapping

from tandem.cluster.engine_counts import EngineCounts
from tandem.cluster.exposition import Sample
from tandem.cluster.growth import Look
from tandem.planner.observation import Figure, Missing

NAME = "generated_total"
AWAY = Missing("it does not answer")


def look(*tokens: float, age_s: float = 0.0) -> Look:
    """A pod of so many engines."""
    rows = [Sample(NAME, {"engine": str(i)}, value) for i, value in enumerate(tokens)]
    return Look(rows, 0.0, age_s)


def told(*looks: Mapping[str, Look | Missing], whole: bool = True) -> list[object]:
    """(tokens, whether exact) of each look, the looks 5 s apart."""
    counts = EngineCounts(NAME)
    readings = [counts.grown(each, 5.0 if i else 0.0, whole=whole) for i, each in enumerate(looks)]
    return [(r.value, r.exact) if isinstance(r, Figure) else r for r in readings]


def test_engines_of_all_pods_are_summed() -> None:
    first, second = {"a": look(100, 50), "b": look(7)}, {"a": look(110, 50), "b": look(9)}
    assert told(first, second) == [(0, True), (12, True)]


def test_a_new_pod_counts_from_zero_and_a_gone_one_makes_it_a_lower_bound() -> None:
    assert told({"a": look(100)}, {"a": look(110), "b": look(4)}) == [(0, True), (14, True)]
    assert told({"a": look(100), "b": look(1)}, {"a": look(110)}) == [(0, True), (10, False)]


def test_a_pod_started_anew_counts_from_zero_and_is_a_lower_bound() -> None:
    assert told({"a": look(100)}, {"a": look(30)}) == [(0, True), (30, False)]


def test_what_could_not_be_read_comes_with_the_next_look() -> None:
    away: dict[str, Look | Missing] = {"a": AWAY, "b": look(5)}
    figures = told({"a": look(100), "b": look(5)}, away, {"a": look(130), "b": look(5)})
    assert figures[1:] == [(0, False), (30, True)]


def test_the_past_of_a_pod_that_was_never_read_is_not_counted_as_new() -> None:
    first: dict[str, Look | Missing] = {"a": AWAY, "b": look(5)}
    assert told(first, {"a": look(90_000), "b": look(6)})[1] == (1, False)


def test_pods_that_are_not_asked_make_it_a_lower_bound() -> None:
    assert told({"a": look(1)}, {"a": look(2)}, whole=False)[1] == (1, False)


def test_where_no_time_passed_nothing_is_counted_yet() -> None:
    counts = EngineCounts(NAME)
    counts.grown({"a": look(100)}, 0.0, whole=True)
    assert counts.grown({"a": look(120, age_s=3.0)}, 0.0, whole=True) == Figure(0.0, 3.0)
    assert counts.grown({"a": look(120)}, 5.0, whole=True) == Figure(20.0)


def test_no_figure_is_missing_with_its_reason() -> None:
    assert told({}) == [Missing("no decode pod was ready")]
    assert told({"a": AWAY}) == [AWAY]
    assert told({"a": Look([], 0.0)}) == [Missing(f"an engine has no {NAME} that is a number")]
