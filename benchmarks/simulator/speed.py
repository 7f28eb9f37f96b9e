"""Simulated requests per second on an hour of Azure's conversation trace, 4 + 4 pods, one core.

    TANDEM_DATA=... python -m benchmarks.simulator.speed [--rounds 3]

CPU time, because the machine may be shared; told also as the ratio to a fixed loop over a heap of the
standard library in the same run, which carries from machine to machine. Without $TANDEM_DATA the
built-in generator stands in, at the same rate and for as long.
"""

import argparse
import heapq
import os
from collections.abc import Callable
from pathlib import Path
from time import process_time

from tandem.api.role import Role
from tandem.perf.library import profile
from tandem.planner.spec import FleetSpec, RoleSpec, Slo
from tandem.simulator.result import Result
from tandem.simulator.run import simulate
from tandem.simulator.scenario import Scenario
from tandem.traces.generate import generate
from tandem.traces.model import Trace
from tandem.traces.read import read_trace

AZURE = "azure2023/AzureLLMInferenceTrace_conv.csv.gz"
PROFILE = profile("h200-llama-3.1-8b-fp8-tp1")
PODS = 4
HEAP_ROUNDS = 1_000_000


def heap_loop() -> None:
    """The yardstick: push and pop on a heap of 1,000 floats."""
    heap = [float(i) for i in range(1000)]
    for i in range(HEAP_ROUNDS):
        heapq.heappush(heap, heapq.heappop(heap) + i % 7)


def trace() -> Trace:
    """Azure's hour, or a generated one like it."""
    folder = os.environ.get("TANDEM_DATA")
    return read_trace(Path(folder) / AZURE) if folder else generate(5.53, 3501.7, seed=1)


def scenario(replayed: Trace) -> Scenario:
    """A fixed fleet of four pods a role."""
    roles = {role: RoleSpec(profile=PROFILE) for role in Role}
    spec = FleetSpec(slo=Slo(ttft_s=2.0, tpot_s=0.05), roles=roles, policy="static")
    return Scenario(trace=replayed, spec=spec, replicas=dict.fromkeys(Role, PODS))


def fastest_s(rounds: int, work: Callable[[], Result | None]) -> float:
    """CPU seconds of the fastest of some rounds."""
    seconds = []
    for _ in range(rounds):
        begun_s = process_time()
        work()
        seconds.append(process_time() - begun_s)
    return min(seconds)


def main() -> None:
    """Print requests per second and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    replayed = trace()
    asked = scenario(replayed)
    heap_per_s = HEAP_ROUNDS / fastest_s(rounds, heap_loop)
    per_s = len(replayed.requests) / fastest_s(rounds, lambda: simulate(asked))
    print(f"{replayed.name}: {len(replayed.requests)} requests, {PODS} + {PODS} pods")
    print(f"{per_s:,.0f} requests/s; the heap loop {heap_per_s:,.0f} rounds/s")
    print(f"ratio {per_s / heap_per_s:.2e}: a request costs {heap_per_s / per_s:,.0f} heap rounds")


if __name__ == "__main__":
    main()
