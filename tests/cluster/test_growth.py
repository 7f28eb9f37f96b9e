import math

import pytest

from tandem.cluster import series
from tandem.cluster.exposition import Sample
from tandem.cluster.growth import GatewayCounts, Growth, Look
from tandem.planner.observation import Missing


def look(at_s: float, arrivals: float, *rows: Sample, age_s: float = 0.0) -> Look:
    return Look([Sample(series.ARRIVALS, {}, arrivals), *rows], at_s, age_s)


def grown(counts: GatewayCounts, **looks: Look | Missing) -> Growth:
    growth = counts.grown(looks)
    assert isinstance(growth, Growth), growth
    return growth


def arrivals(growth: Growth) -> tuple[float, float]:
    return growth.totals[series.ARRIVALS], growth.interval_s


def test_the_first_look_counts_nothing_however_many_gateways_there_are() -> None:
    assert arrivals(grown(GatewayCounts(), a=look(10, 500), b=look(11, 700))) == (0, 0)


def test_an_interval_is_the_time_between_the_samples() -> None:
    counts = GatewayCounts()
    grown(counts, a=look(10, 500))
    assert arrivals(grown(counts, a=look(25, 530, age_s=9.0))) == (30, 15)


def test_the_same_scrape_seen_again_is_no_interval_and_counts_nothing_twice() -> None:
    counts = GatewayCounts()
    grown(counts, a=look(10, 500))
    grown(counts, a=look(25, 530))
    again = grown(counts, a=look(25, 530, age_s=12.0))
    assert (arrivals(again), again.age_s) == ((0, 0), 12.0)
    assert arrivals(grown(counts, a=look(40, 531))) == (1, 15)


def test_replicas_are_summed_once_each_has_a_newer_sample() -> None:
    counts = GatewayCounts()
    grown(counts, a=look(10, 0), b=look(13, 0))
    half = grown(counts, a=look(25, 30), b=look(13, 0))
    assert arrivals(half) == (0, 0)
    assert arrivals(grown(counts, a=look(25, 30), b=look(28, 60))) == (90, 15)


def test_a_restarted_gateway_counts_from_zero_and_is_a_lower_bound() -> None:
    counts = GatewayCounts()
    assert grown(counts, a=look(10, 500)).exact
    after = grown(counts, a=look(20, 40))
    assert arrivals(after) == (40, 10)
    assert not after.exact
    assert grown(counts, a=look(30, 50)).exact


def test_a_new_replica_brings_all_it_counted() -> None:
    counts = GatewayCounts()
    grown(counts, a=look(10, 500))
    assert arrivals(grown(counts, a=look(20, 510), b=look(19, 7))) == (17, 10)


def test_a_gateway_that_is_replaced_leaves_a_lower_bound_over_the_whole_gap() -> None:
    counts = GatewayCounts()
    grown(counts, a=look(10, 500))
    after = grown(counts, b=look(40, 90))
    assert arrivals(after) == (90, 30)
    assert not after.exact


def test_one_that_comes_back_goes_on_from_where_it_was() -> None:
    counts = GatewayCounts()
    grown(counts, a=look(10, 500), b=look(10, 800))
    grown(counts, a=look(20, 510))
    assert arrivals(grown(counts, a=look(30, 520), b=look(30, 806))) == (16, 10)


def test_a_gateway_that_was_counted_and_cannot_be_read_makes_the_sum_unknown() -> None:
    counts = GatewayCounts()
    away = Missing("it hangs")
    grown(counts, a=look(10, 500), b=look(10, 0))
    assert counts.grown({"a": look(20, 510), "b": away}) is away
    assert arrivals(grown(counts, a=look(30, 520), b=look(30, 5))) == (25, 20)


def test_a_gateway_never_counted_that_cannot_be_read_is_waited_for() -> None:
    counts = GatewayCounts()
    grown(counts, a=look(10, 500))
    growth = grown(counts, a=look(20, 510), b=Missing("it starts"))
    assert arrivals(growth) == (10, 10)
    assert growth.exact


def test_no_gateway_at_all_is_missing() -> None:
    assert isinstance(GatewayCounts().grown({}), Missing)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_arrivals_that_are_no_number_are_missing_and_spoil_nothing(value: float) -> None:
    counts = GatewayCounts()
    grown(counts, a=look(10, 500))
    told = counts.grown({"a": look(20, value)})
    assert isinstance(told, Missing)
    assert "number" in told.reason
    assert arrivals(grown(counts, a=look(30, 520))) == (20, 20)


def test_lengths_that_are_no_lengths_are_left_out() -> None:
    counts = GatewayCounts()
    good = {"input": "8", "cached": "0", "output": "4"}
    grown(counts, a=look(10, 0))
    rows = [Sample(series.LENGTHS, x, 2.0) for x in (good, {"input": "8"}, {**good, "input": "x"})]
    assert grown(counts, a=look(20, 6, *rows)).cells == {(8, 0, 4): 2.0}


def test_a_clock_that_was_set_back_starts_anew() -> None:
    counts = GatewayCounts()
    grown(counts, a=look(10_000, 500))
    assert grown(counts, a=look(50, 510)).interval_s == 0
    assert arrivals(grown(counts, a=look(60, 512))) == (2, 10)


def test_gauges_of_replicas_add_up_and_dispersion_is_weighted_by_arrivals() -> None:
    def gauges(queued: float, dispersion: float) -> tuple[Sample, ...]:
        return (
            Sample(series.QUEUED_TOKENS, {}, queued),
            Sample(series.DISPERSION, {}, dispersion),
            Sample(series.IN_FLIGHT, {"role": "decode", series.TARGET_POD: "d"}, 3),
        )

    counts = GatewayCounts()
    grown(counts, a=look(10, 0), b=look(10, 0))
    growth = grown(counts, a=look(20, 30, *gauges(100, 1)), b=look(20, 10, *gauges(11, 5)))
    assert growth.gauges[series.QUEUED_TOKENS] == 111
    assert growth.gauges[series.DISPERSION] == pytest.approx(2.0)
    assert growth.in_flight == {"d": 6}


def test_hundreds_of_gateways_over_time_are_not_all_remembered() -> None:
    counts = GatewayCounts()
    for number in range(200):
        grown(counts, **{f"gateway-{number}": look(10.0 * number, 5)})
    assert len(counts._counters._last) <= 64
