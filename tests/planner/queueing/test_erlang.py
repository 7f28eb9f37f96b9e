import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.planner.queueing.erlang import delay_probability


@pytest.mark.parametrize(
    ("load", "servers", "expected"),
    [
        pytest.param(0.5, 1, 0.5, id="M/M/1: utilisation"),
        pytest.param(1.0, 2, 1 / 3, id="two servers, by hand"),
        pytest.param(2.0, 3, 4 / 9, id="three servers, by hand"),
        pytest.param(8.0, 10, 0.40918, id="tables of Erlang C"),
        pytest.param(90.0, 100, 0.216940, id="a large pool, summed as fractions"),
        pytest.param(0.0, 4, 0.0, id="no load"),
        pytest.param(4.0, 4, 1.0, id="as much load as servers"),
        pytest.param(9.0, 4, 1.0, id="overload"),
    ],
)
def test_delay_probability(load: float, servers: int, expected: float) -> None:
    assert delay_probability(load, servers) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("load", [1e-9, 1.0, 500.0, 990.0, 999.999])
def test_a_thousand_servers_overflow_nothing(load: float) -> None:
    assert 0 <= delay_probability(load, 1000) <= 1


@given(st.floats(0, 200), st.floats(0, 10), st.integers(1, 150))
def test_more_load_waits_more_and_more_servers_wait_less(
    load: float, more: float, servers: int
) -> None:
    waits = delay_probability(load, servers)

    assert delay_probability(load + more, servers) >= waits - 1e-12
    assert delay_probability(load, servers + 1) <= waits + 1e-12
