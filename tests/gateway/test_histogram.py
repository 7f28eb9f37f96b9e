from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest

from tandem.gateway.histogram import Histogram, Tally


def page(collector: Histogram | Tally) -> list[str]:
    registry = CollectorRegistry()
    registry.register(collector)
    return [line for line in generate_latest(registry).decode().splitlines() if line[0] != "#"]


def test_a_value_on_an_edge_lies_under_it() -> None:
    histogram = Histogram("wait_seconds", "Waiting.", [0.1, 2.0, 0.05, 2.0])
    histogram.observe(0.05)
    histogram.observe(0.06, times=3)
    histogram.observe(2.5)
    assert page(histogram) == [
        'wait_seconds_bucket{le="0.05"} 1.0',
        'wait_seconds_bucket{le="0.1"} 4.0',
        'wait_seconds_bucket{le="2.0"} 4.0',
        'wait_seconds_bucket{le="+Inf"} 5.0',
        "wait_seconds_count 5.0",
        "wait_seconds_sum 2.73",
    ]


@given(st.lists(st.floats(0, 10)), st.sets(st.floats(0.001, 9), min_size=1))
def test_every_bucket_counts_what_is_no_larger_than_its_edge(
    values: list[float], edges: set[float]
) -> None:
    histogram = Histogram("a", "A.", edges)
    for value in values:
        histogram.observe(value)
    (family,) = histogram.collect()
    for sample in family.samples:
        if sample.name == "a_bucket":
            edge = float(sample.labels["le"])
            assert sample.value == sum(value <= edge for value in values)


def test_a_tally_counts_per_labels_and_knows_of_zero() -> None:
    tally = Tally("ended_total", "Ended.", ("how", "why"))
    tally.add("cut", "died", amount=0)
    tally.add("ok", "")
    tally.add("ok", "")
    assert page(tally) == [
        'ended_total{how="cut",why="died"} 0.0',
        'ended_total{how="ok",why=""} 2.0',
    ]
