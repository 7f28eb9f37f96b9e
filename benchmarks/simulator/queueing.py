"""Mean waits of the whole simulated path against queueing theory: M/M/c, M/D/1, M/G/1-PS.

    python -m benchmarks.simulator.queueing

A profile whose prefill takes a second per 100,000 tokens makes the fleet's prefill an M/M/c or M/D/1
queue: the router's central queue, c pods, one prompt at a time. Answers of one token that the prefill
leg emits leave decode out. One whose iterations take a millisecond a sequence and nothing else makes a
decode pod an M/G/1 queue with processor sharing.

Waits in a busy queue are so correlated that a plain mean needs millions of requests for 1 %. So the
estimate has two levels (multilevel Monte Carlo, Giles 2008): E[W] is estimated on millions of customers of
a recursion whose stationary mean is the theory's (Kiefer and Wolfowitz 1955 for c servers), plus the mean
of W(simulator) - W(recursion) on the same few thousand arrivals and services, where a simulator that is
1 % wrong is 1 % off, whatever the noise that both share. Sharing has no such recursion: there, the
difference to an exact shared server on the same customers is set against the theory's mean.
"""

from dataclasses import dataclass, replace
from math import factorial

import numpy as np
from numpy.typing import NDArray

from tandem.api.role import Role
from tandem.perf.engine_profile import DecodeCost, EngineProfile, KvCache, PrefillCost, TransferCost
from tandem.perf.link import SharedLink
from tandem.planner.spec import FleetSpec, RoleSpec, Slo
from tandem.simulator.run import simulate
from tandem.simulator.scenario import Scenario
from tandem.traces.model import Trace
from tandem.traces.request import TraceRequest

Floats = NDArray[np.float64]
TOKENS = 100_000  # mean prompt: one second, and rounding to a token costs 1e-5 of it
STEP_S = 0.001  # of an iteration, for each sequence in it
QUEUES = (("M", 1), ("M", 3), ("M", 8), ("D", 1), ("PS", 1))
RHOS = (0.5, 0.8, 0.9)
BAR = 0.01

WAITING = EngineProfile(
    name="a second a prompt",
    model="none",
    accelerator="none",
    accelerators=1,
    prefill=PrefillCost(a_s=0.0, b_s_per_token=1.0 / TOKENS, c_s_per_token2=0.0),
    decode=DecodeCost(alpha_s=0.0, beta_s_per_sequence=STEP_S, gamma_s_per_token=0.0),
    kv=KvCache(bytes_per_token=1, capacity_tokens=10**9),
    transfer=TransferCost(latency_s=0.0, bandwidth_bytes_per_s=1e18),
    batch_cap=10**8,
    batch_tokens=10**9,
    first_token=Role.PREFILL,
)
SHARING = replace(
    WAITING,
    prefill=PrefillCost(a_s=0.0, b_s_per_token=1e-12, c_s_per_token2=0.0),
    first_token=Role.DECODE,
)


@dataclass(frozen=True, slots=True)
class Agreement:
    """A queue's mean (wait, or stay where it is shared) in services: simulated and by theory."""

    law: str
    servers: int
    rho: float
    simulated_s: float
    theory_s: float
    largest_difference_s: float  # to the recursion, of any single customer

    @property
    def error(self) -> float:
        """Relative to theory."""
        return self.simulated_s / self.theory_s - 1


def services(law: str, shape: tuple[int, ...], random: np.random.Generator) -> Floats:
    """Service times in seconds, mean 1: exponential, deterministic, or lognormal with Cs2 2 to share."""
    if law == "D":
        return np.ones(shape)
    if law == "M":
        drawn = random.exponential(1.0, shape)
        return np.maximum(1, np.rint(drawn * TOKENS)) / TOKENS
    variance = np.log(3.0)
    drawn = random.lognormal(-variance / 2, np.sqrt(variance), shape)
    return np.maximum(1, np.rint(drawn / STEP_S)) * STEP_S


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


def shared(gaps_s: Floats, services_s: Floats) -> Floats:
    """Stays of the same customers on one server that all of them share, in order of arrival."""
    link, ends = SharedLink(), np.zeros(len(gaps_s))
    arrivals_s = np.cumsum(gaps_s)

    def finish(until_s: float) -> None:
        while (end := link.next_end()) is not None and end[0] <= until_s:
            link.finish(end[0], end[1])
            ends[int(end[1])] = end[0]

    for place, (arrival_s, service_s) in enumerate(zip(arrivals_s, services_s, strict=True)):
        finish(arrival_s)
        link.add(arrival_s, str(place), service_s)
    finish(float("inf"))
    return ends - arrivals_s


def theory_s(law: str, servers: int, rho: float) -> float:
    """Mean wait in services (Pollaczek-Khinchine, Erlang C); mean stay where one server is shared."""
    if law == "D":
        return rho / (2 * (1 - rho))
    if law == "PS":
        return 1 / (1 - rho)
    load = rho * servers
    all_busy = load**servers / factorial(servers) / (1 - rho)
    erlang_c = all_busy / (sum(load**k / factorial(k) for k in range(servers)) + all_busy)
    return erlang_c / (servers * (1 - rho))


def simulated(law: str, gaps_s: Floats, services_s: Floats, servers: int) -> Floats:
    """Waits (stays where decode is shared) of the same customers on the whole path, by arrival."""
    of_output = law == "PS"
    per_s = 1 / STEP_S if of_output else TOKENS
    requests = tuple(
        TraceRequest(
            arrival_s=arrival_s,
            input_tokens=1 if of_output else round(service_s * per_s),
            output_tokens=round(service_s * per_s) if of_output else 1,
        )
        for arrival_s, service_s in zip(np.cumsum(gaps_s), services_s, strict=True)
    )
    role = RoleSpec(profile=SHARING if of_output else WAITING)
    spec = FleetSpec(
        slo=Slo(ttft_s=2.0, tpot_s=1.0), roles=dict.fromkeys(Role, role), policy="static"
    )
    asked = Scenario(
        trace=Trace(name="Poisson", requests=requests),
        spec=spec,
        replicas={Role.PREFILL: servers, Role.DECODE: 1},
        order="fcfs",
        drain_s=1e6,
    )
    table = simulate(asked).table
    seconds = table.e2e_s if of_output else table.queue_s
    return seconds[np.argsort(table.positions)]


def agreement(law: str, servers: int, rho: float) -> Agreement:
    """The two-level estimate; an emptier queue forgets its start sooner and needs fewer customers."""
    random = np.random.default_rng(20)
    few = (6_000, 1)
    gaps_s, service_s = random.exponential(1 / (rho * servers), few), services(law, few, random)
    here = simulated(law, gaps_s[:, 0], service_s[:, 0], servers)
    if law == "PS":
        there = shared(gaps_s[:, 0], service_s[:, 0])
        estimate_s = theory_s(law, 1, rho) * here.mean() / there.mean()
    else:
        there = recursion(gaps_s, service_s, servers).ravel()
        many = (1_500, 12_000) if rho < RHOS[-1] else (6_000, 8_000)
        settled = many[0] // 5 if rho < RHOS[-1] else 2 * many[0] // 5
        others_s = random.exponential(1 / (rho * servers), many)
        waits = recursion(others_s, services(law, many, random), servers)[settled:]
        estimate_s = waits.mean() + (here - there).mean()
    largest_s = float(abs(here - there).max())
    return Agreement(law, servers, rho, float(estimate_s), theory_s(law, servers, rho), largest_s)


def main() -> None:
    """Print each queue at each load."""
    for law, servers in QUEUES:
        for rho in RHOS:
            found = agreement(law, servers, rho)
            name = "M/G/1-PS" if law == "PS" else f"M/{law}/{servers}"
            stands = "met" if abs(found.error) <= BAR else "MISSED"
            print(
                f"{name:9} rho {rho:.1f}  simulated {found.simulated_s:7.4f}"
                f"  theory {found.theory_s:7.4f}  {found.error:+.2%} (<= {BAR:.0%}: {stands})"
            )


if __name__ == "__main__":
    main()
