"""What a simulated request costs as the fleet grows, and what a million of them take.

    python -m benchmarks.simulator.scale [--pods 8 --pods 64 --pods 512] [--requests 40000]

Half of the pods prefill, half decode; each has as much to do as in a fleet of 4 + 4 on Azure's
conversation trace. CPU time; the peak of memory is of a process of its own, which generates the trace too.
"""

import argparse
import json
import resource
import subprocess
import sys
from dataclasses import asdict, dataclass
from time import process_time

from tandem import compiled

REQUESTS = 40_000
RATE_RPS_PER_POD = 5.53 / 8


@dataclass(frozen=True, slots=True)
class Scale:
    """One run."""

    pods: int
    requests: int
    cpu_s: float
    peak_bytes: int

    @property
    def us_per_request(self) -> float:
        """CPU microseconds."""
        return 1e6 * self.cpu_s / self.requests


def measured(pods: int, requests: int) -> Scale:
    """A run in this process."""
    from benchmarks.simulator.speed import PROFILE  # noqa: PLC0415 - after `compiled.use`

    from tandem.api.role import Role  # noqa: PLC0415
    from tandem.planner.spec import FleetSpec, RoleSpec, Slo  # noqa: PLC0415
    from tandem.simulator.run import simulate  # noqa: PLC0415
    from tandem.simulator.scenario import Scenario  # noqa: PLC0415
    from tandem.traces.generate import generate  # noqa: PLC0415

    rate_rps = RATE_RPS_PER_POD * pods
    trace = generate(rate_rps, requests / rate_rps, 1)
    roles = {role: RoleSpec(profile=PROFILE, max_replicas=pods) for role in Role}
    spec = FleetSpec(slo=Slo(ttft_s=2.0, tpot_s=0.05), roles=roles, policy="static")
    asked = Scenario(trace=trace, spec=spec, replicas=dict.fromkeys(Role, pods // 2))
    begun_s = process_time()
    simulate(asked)
    cpu_s = process_time() - begun_s
    peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return Scale(pods, len(trace.requests), cpu_s, peak_kib * 1024)


def alone(pods: int, requests: int) -> Scale:
    """A run in a process of its own, so that its memory is its own too."""
    command = [sys.executable, "-m", "benchmarks.simulator.scale", "--json"]
    asked = ["--pods", str(pods), "--requests", str(requests)]
    done = subprocess.run([*command, *asked], check=True, capture_output=True, text=True)
    return Scale(**json.loads(done.stdout))


def main() -> None:
    """Print one line a size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pods", type=int, action="append")
    parser.add_argument("--requests", type=int, default=REQUESTS)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    compiled.use()
    for pods in given.pods or (8, 64, 512):
        found = measured(pods, given.requests)
        if given.json:
            print(json.dumps(asdict(found)))
            continue
        print(
            f"{found.pods:4} pods  {found.requests:9,} requests  {found.cpu_s:6.2f} s"
            f"  {found.us_per_request:6.2f} us each  {found.peak_bytes / 2**20:5.0f} MiB"
        )


if __name__ == "__main__":
    main()
