"""Mean waits of the whole path against queueing theory, within 1 % (`benchmarks.simulator.queueing`)."""

import pytest
from benchmarks.simulator.queueing import BAR, RHOS, agreement


@pytest.mark.parametrize("rho", RHOS)
@pytest.mark.parametrize(
    ("law", "servers"),
    [
        pytest.param("M", 1, id="M/M/1"),
        pytest.param("M", 3, id="M/M/3"),
        pytest.param("D", 1, id="M/D/1"),
    ],
)
def test_mean_waits_are_within_1_percent_of_theory(law: str, servers: int, rho: float) -> None:
    found = agreement(law, servers, rho)
    assert found.simulated_s == pytest.approx(found.theory_s, rel=BAR)
    assert found.largest_difference_s < 1e-6, (
        "and each single wait is the recursion's, to the microsecond"
    )


@pytest.mark.parametrize("rho", RHOS)
def test_decode_shares_its_time_as_a_processor_does(rho: float) -> None:
    found = agreement("PS", 1, rho)
    assert found.simulated_s == pytest.approx(found.theory_s, rel=BAR)
