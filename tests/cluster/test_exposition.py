import pytest

from tandem.cluster.exposition import Counters, Sample, samples

TEXT = """\
# HELP vllm:num_requests_running Number of requests.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="m"} 3.0
# TYPE vllm:num_requests_running_by_x gauge
vllm:num_requests_running_by_x{engine="0"} 7.0
# TYPE other_total counter
other_total 5.0
"""


def test_only_the_named_series_are_read() -> None:
    assert samples(TEXT, ["vllm:num_requests_running", "other_total"]) == [
        Sample("vllm:num_requests_running", {"engine": "0", "model_name": "m"}, 3.0),
        Sample("other_total", {}, 5.0),
    ]


def test_a_series_that_is_not_there_is_no_sample() -> None:
    assert samples(TEXT, ["absent_total"]) == []


@pytest.mark.parametrize(
    ("looks", "increases"),
    [
        pytest.param([5.0, 8.0, 8.0], [0.0, 3.0, 0.0], id="the first look counts nothing"),
        pytest.param([5.0, 2.0, 3.0], [0.0, 2.0, 1.0], id="a restart counts from zero"),
        pytest.param([None, 4.0], [None, 4.0], id="a series that appears later counts from zero"),
    ],
)
def test_increases(looks: list[float | None], increases: list[float | None]) -> None:
    counters = Counters()
    for value, expected in zip(looks, increases, strict=True):
        rows = [] if value is None else [Sample("a_total", {"x": "1"}, value)]
        grown = [increase for _, _, increase in counters.increases({"t": rows})]
        assert grown == ([] if expected is None else [expected])


@pytest.mark.parametrize(
    ("line", "sample"),
    [
        pytest.param("a_total 5", Sample("a_total", {}, 5.0), id="bare"),
        pytest.param(
            'a_total{x="}, {",y="",} 1e3',
            Sample("a_total", {"x": "}, {", "y": ""}, 1e3),
            id="braces",
        ),
        pytest.param(
            r'a_total{x="say \"hi\"\n"} 1',
            Sample("a_total", {"x": 'say "hi"\n'}, 1.0),
            id="escapes",
        ),
        pytest.param(
            'a_total{x="1"} 2 1700000000', Sample("a_total", {"x": "1"}, 2.0), id="a time"
        ),
    ],
)
def test_a_line_is_read_in_each_of_its_forms(line: str, sample: Sample) -> None:
    assert samples(f"{line}\n", ["a_total"]) == [sample]


@pytest.mark.parametrize("line", ['a_total{x="1} 2', "a_total{", "a_total", "a_total many"])
def test_a_line_that_is_no_exposition_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        samples(line, ["a_total"])
