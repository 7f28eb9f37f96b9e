"""Mean waits of the whole path against queueing theory, within 1 %.

A profile whose prefill takes a second per 100,000 tokens makes the fleet's prefill an M/M/c or M/D/1
queue: the router's central queue, c pods, one prompt at a time. Answers of one token that the prefill
leg emits leave decode out.

Waits in a busy queue are so correlated that at rho = 0.8 a plain mean needs some five million requests
for 1 %. So the estimate has two levels (multilevel Monte Carlo, Giles 2008): E[W] is estimated on
millions of customers of the recursion of Kiefer and Wolfowitz (1955), whose stationary mean is the
theory's, plus the mean of W(simulator) - W(recursion) on the same 6,000 arrivals and services, where a
simulator that is 1 % wrong is 1 % off, whatever the noise that both share.
"""

from dataclasses import replace
from math import factorial

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.fakes.simulated import ROUND, scenario

from tandem.api.role import Role
from tandem.perf.engine_profile import EngineProfile, KvCache, PrefillCost
from tandem.simulator.run import simulate
from tandem.traces.model import Trace
from tandem.traces.request import TraceRequest

Floats = NDArray[np.float64]
TOKENS = 100_000  # mean prompt: one second, and rounding to a token costs 1e-5 of it
PROFILE: EngineProfile = replace(
    ROUND,
    prefill=PrefillCost(a_s=0.0, b_s_per_token=1.0 / TOKENS, c_s_per_token2=0.0),
    kv=KvCache(bytes_per_token=1, capacity_tokens=10**9),
    batch_tokens=10**9,
    first_token=Role.PREFILL,
)


def services(law: str, shape: tuple[int, ...], random: np.random.Generator) -> Floats:
    """Service times in seconds, mean 1."""
    drawn = random.exponential(1.0, shape) if law == "M" else np.ones(shape)
    return np.maximum(1, np.rint(drawn * TOKENS)) / TOKENS


def recursion(gaps_s: Floats, services_s: Floats, servers: int) -> Floats:
    """Waits of first come, first served on c servers; rows are customers, columns replications.

    Kiefer and Wolfowitz: the sorted workloads of the servers as the customer finds them.
    """
    work = np.zeros((gaps_s.shape[1], servers))
    waits = np.empty_like(gaps_s)
    for row, (gap_s, service_s) in enumerate(zip(gaps_s, services_s, strict=True)):
        work = np.sort(np.maximum(work - gap_s[:, None], 0.0), axis=1)
        waits[row] = work[:, 0]
        work[:, 0] += service_s
    return waits


def theory_s(law: str, servers: int, rho: float) -> float:
    """Mean wait in services: Pollaczek-Khinchine for M/D/1, Erlang C for M/M/c."""
    if law == "D":
        return rho / (2 * (1 - rho))
    load = rho * servers
    all_busy = load**servers / factorial(servers) / (1 - rho)
    erlang_c = all_busy / (sum(load**k / factorial(k) for k in range(servers)) + all_busy)
    return erlang_c / (servers * (1 - rho))


def simulated(gaps_s: Floats, services_s: Floats, servers: int) -> Floats:
    """Waits of the same customers on the whole path, in order of arrival."""
    requests = tuple(
        TraceRequest(arrival_s=arrival_s, input_tokens=round(service_s * TOKENS), output_tokens=1)
        for arrival_s, service_s in zip(np.cumsum(gaps_s), services_s, strict=True)
    )
    fleet = {Role.PREFILL: servers, Role.DECODE: 1}
    trace = Trace(name="Poisson", requests=requests)
    result = simulate(scenario(trace, fleet, profile=PROFILE, drain_s=1e6))
    waits = {f.position: (f.started_s or 0.0) - f.arrival_s for f in result.flights}
    return np.array([waits[key] for key in sorted(waits)])


@pytest.mark.parametrize("rho", [0.5, 0.8])
@pytest.mark.parametrize(
    ("law", "servers"),
    [
        pytest.param("M", 1, id="M/M/1"),
        pytest.param("M", 3, id="M/M/3"),
        pytest.param("D", 1, id="M/D/1"),
    ],
)
def test_mean_waits_are_within_1_percent_of_theory(law: str, servers: int, rho: float) -> None:
    random = np.random.default_rng(20)
    arrival_rate = rho * servers

    many = (1_500, 12_000)  # customers, replications; the first 300 let an empty queue fill
    gaps_s = random.exponential(1 / arrival_rate, many)
    waits = recursion(gaps_s, services(law, many, random), servers)[300:]

    few = (6_000, 1)
    gaps_s, services_s = random.exponential(1 / arrival_rate, few), services(law, few, random)
    difference = (
        simulated(gaps_s[:, 0], services_s[:, 0], servers)
        - recursion(gaps_s, services_s, servers).ravel()
    )

    estimate_s = waits.mean() + difference.mean()
    assert estimate_s == pytest.approx(theory_s(law, servers, rho), rel=0.01)
    assert abs(difference).max() < 1e-6, (
        "and each single wait is the recursion's, to the microsecond"
    )
