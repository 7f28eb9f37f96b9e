"""Simulated requests per second on an hour of Azure's conversation trace, 4 + 4 pods, one core.

    TANDEM_DATA=... python -m benchmarks.simulator.speed [--rounds 3]

CPU time, because the machine may be shared; told also as the ratio to a fixed loop over a heap of the
standard library in the same run, which carries from machine to machine: rounds of both alternate, and the
ratio is the best of them. Without $TANDEM_DATA the built-in generator stands in, at the same rate and for
as long. The simulator is compiled, as `tandem simulate` runs it; `TANDEM_COMPILED=0` measures its source.
"""

import argparse
import heapq
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from time import process_time

from tandem import compiled

if __name__ == "__main__":  # before the simulator is imported
    compiled.use(lambda line: print(line, file=sys.stderr))

from tandem.api.role import Role
from tandem.perf.library import profile
from tandem.planner.spec import FleetSpec, RoleSpec, Slo
from tandem.simulator.run import simulate
from tandem.simulator.scenario import CLOSED, KERNELS, Scenario
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


@dataclass(frozen=True, slots=True)
class Speed:
    """Requests and rounds of the yardstick per CPU second, at their fastest."""

    requests_per_s: float
    heap_rounds_per_s: float

    @property
    def ratio(self) -> float:
        """Requests in the time of a heap round."""
        return self.requests_per_s / self.heap_rounds_per_s


def measured(asked: Scenario, rounds: int) -> Speed:
    """The fastest of some rounds of each, in turns."""
    simulated_s, heap_s = [], []
    for _ in range(rounds):
        heap_s.append(cpu_s(heap_loop))
        simulated_s.append(cpu_s(lambda: simulate(asked)))
    return Speed(len(asked.trace.requests) / min(simulated_s), HEAP_ROUNDS / min(heap_s))


def cpu_s(work: Callable[[], object]) -> float:
    """CPU seconds of some work."""
    begun_s = process_time()
    work()
    return process_time() - begun_s


def main() -> None:
    """Print requests per second and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--kernel", choices=list(KERNELS), default=CLOSED)
    given = parser.parse_args()
    replayed = trace()
    found = measured(replace(scenario(replayed), kernel=given.kernel), given.rounds)
    print(
        f"{replayed.name}: {len(replayed.requests)} requests, {PODS} + {PODS} pods, {given.kernel}"
    )
    print(
        f"{found.requests_per_s:,.0f} requests/s; heap loop {found.heap_rounds_per_s:,.0f} rounds/s"
    )
    print(f"a request costs {1 / found.ratio:.0f} heap rounds")


if __name__ == "__main__":
    main()
