from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import gammaincinv
from tests.planner.builders import ENGINE
from tests.planner.queueing.simulated import waits_s

from tandem.planner.cells import Cells
from tandem.planner.demand import from_cells, from_means
from tandem.planner.queueing import prefill
from tandem.planner.queueing.prefill import PrefillWork


def work(mean_s: float = 0.1, scv: float = 1.0) -> PrefillWork:
    """Gamma times: exponential ones at a Cs² of 1."""
    shares = (np.arange(4096) + 0.5) / 4096
    times = gammaincinv(1 / scv, shares) if scv > 1e-3 else np.ones(4096)
    return prefill.of_service(mean_s * times / times.mean(), np.full(4096, 1 / 4096))


@pytest.mark.parametrize(
    ("prompt", "cached"),
    [(1, 0), (8192, 0), (8193, 0), (100_000, 0), (5000, 4999), (5000, 5000), (20_000, 12_000)],
)
def test_a_prompt_costs_what_the_profile_says(prompt: int, cached: int) -> None:
    profile = replace(ENGINE, prefill=replace(ENGINE.prefill, c_s_per_token2=1e-9))
    mix = from_cells(Cells.of((prompt, cached, 10, 1.0)))
    assert mix is not None

    assert prefill.work(profile, mix).mean_s == pytest.approx(profile.prefill_s(prompt, cached))


def test_work_varies_as_the_prompts_do() -> None:
    free_start = replace(ENGINE, prefill=replace(ENGINE.prefill, a_s=0.0))

    assert prefill.work(free_start, from_means(1000, 10, input_cv=0.7)).law.scv == pytest.approx(
        0.49
    )


@pytest.mark.parametrize(
    ("servers", "scv", "exact_s"),
    [
        pytest.param(1, 1.0, 0.8 / (10 - 8), id="M/M/1"),
        pytest.param(1, 0.0, 0.8 / (10 - 8) / 2, id="M/D/1, Pollaczek and Khinchine"),
        pytest.param(2, 1.0, 0.7111 / (20 - 16), id="M/M/2, Erlang"),
    ],
)
def test_means_are_those_of_theory_where_there_is_one(
    servers: int, scv: float, exact_s: float
) -> None:
    wait = prefill.wait(work(scv=scv), 8.0 * servers, 1.0, servers)

    assert wait.mean_s == pytest.approx(exact_s, rel=0.03)


def test_as_much_work_as_pods_is_endless() -> None:
    assert prefill.wait(work(), 40.0, 1.0, 4).is_endless
    assert not prefill.wait(work(), 39.9, 1.0, 4).is_endless


def test_nobody_waits_when_nobody_comes() -> None:
    assert prefill.wait(work(), 0.0, 1.0, 1).quantile_s(0.999) == 0.0


# benchmarks/planner/accuracy.py holds 960 queues to their references; here some, simulated anew.
@pytest.mark.parametrize("cv", [0.0, 1.0, 2.0], ids=["constant", "Cs² 1", "Cs² 3"])
@pytest.mark.parametrize(("servers", "use"), [(1, 0.7), (2, 0.7), (4, 0.8), (16, 0.9)])
def test_the_p99_of_waits_is_that_of_a_simulated_queue(servers: int, use: float, cv: float) -> None:
    rng = np.random.default_rng(servers)
    sigma = np.sqrt(np.log1p(cv * cv))
    service_s = np.minimum(0.1 * np.exp(rng.normal(-(sigma**2) / 2, sigma, 150_000)), 4.0)
    rate_rps = use * servers / service_s.mean()
    arrivals_s = np.cumsum(rng.exponential(1 / rate_rps, len(service_s)))
    seen_s = np.quantile(waits_s(arrivals_s, service_s, servers), 0.99)

    service = prefill.of_service(service_s, np.full(len(service_s), 1 / len(service_s)))
    wait = prefill.wait(service, rate_rps, 1.0, servers)
    assert wait.quantile_s(0.99) == pytest.approx(
        seen_s, rel=0.15
    )  # the sample's own error with it


@given(st.floats(0.01, 60), st.floats(0, 5), st.integers(1, 64), st.floats(0, 4), st.floats(0, 8))
def test_more_load_waits_longer_and_more_pods_wait_less(
    rate_rps: float, more_rps: float, servers: int, scv: float, ca2: float
) -> None:
    slack_s = np.array([0.0, 0.05, 0.5, 5.0])
    now = prefill.wait(work(scv=scv), rate_rps, ca2, servers).beyond(slack_s)

    busier = prefill.wait(work(scv=scv), rate_rps + more_rps, ca2, servers).beyond(slack_s)
    assert (busier >= now - 1e-12).all()
    larger = prefill.wait(work(scv=scv), rate_rps, ca2, servers + 1).beyond(slack_s)
    assert (larger <= now + 1e-12).all()
