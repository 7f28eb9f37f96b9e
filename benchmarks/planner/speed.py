"""CPU time of one plan() with inputs that change at each call, of its parts that do the work, and of explained().

.venv/bin/python benchmarks/planner/speed.py [--calls 1000]
"""

import argparse
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from itertools import cycle

import numpy as np

from tandem.api.role import Role
from tandem.perf.library import profile
from tandem.planner.demand import Demand, from_means
from tandem.planner.explain import explained
from tandem.planner.lengths import representative
from tandem.planner.model import Memory
from tandem.planner.observation import Figure, LengthCounts, Observation, PodCounts, Traffic
from tandem.planner.plan import plan
from tandem.planner.prediction import predict
from tandem.planner.sizing import size
from tandem.planner.spec import Budget, FleetSpec, Pool, RequestClass, RoleSpec, Slo

INTERVAL_S = 5.0
SPEC = FleetSpec(
    slo=Slo(ttft_s=1.0, tpot_s=0.03),
    roles={
        role: RoleSpec(profile=profile("h200-llama-3.1-8b-tp1"), max_replicas=256) for role in Role
    },
)
CLASSES = (
    RequestClass(name="chat", share=0.3, slo=Slo(ttft_s=0.5, tpot_s=0.02, attainment=0.95)),
    RequestClass(name="batch", share=0.3, slo=Slo(ttft_s=10.0, tpot_s=0.1, attainment=0.9)),
)
KINDS = [profile(f"{name}-llama-3.1-8b-tp1") for name in ("a100", "h200")]
TWO = replace(
    SPEC,
    classes=CLASSES,
    roles={
        role: RoleSpec(profile=kind, max_replicas=512)
        for role, kind in zip(Role, KINDS, strict=True)
    },
    budget=Budget(accelerators=512),
)
POOLS = replace(
    TWO,
    roles={
        role: RoleSpec(
            profile=KINDS[0],
            max_replicas=512,
            pools=tuple(Pool(name=kind.name, profile=kind, max_replicas=256) for kind in KINDS),
        )
        for role in Role
    },
)


def main() -> None:
    """Print milliseconds at the median and at the 99th percentile."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=1000)
    calls = parser.parse_args().calls
    rng = np.random.default_rng(1)
    for name, times_s in (
        ("predict() of one pair", _times_s(_predictions(rng), calls)),
        ("size(), 1 to 1000 requests/s", _times_s(_sizings(rng), calls)),
        ("  3 classes, 2 accelerators", _times_s(_sizings(rng, TWO), calls)),
        ("  the same in pools of a role", _times_s(_sizings(rng, POOLS), calls // 4)),
        ("plan(), an hour of memory", _plan_times_s(rng, calls, plan)),
        ("  and what will come of it", _plan_times_s(rng, calls, _foretold)),
        ("explained(), an hour of memory", _plan_times_s(rng, max(calls // 20, 1), explained)),
    ):
        p10, p50, p99 = np.quantile(times_s, [0.1, 0.5, 0.99]) * 1000
        mean = np.mean(times_s) * 1000
        print(f"{name:31} p10 {p10:6.2f}  p50 {p50:6.2f}  mean {mean:6.2f}  p99 {p99:6.2f} ms")


def _predictions(rng: np.random.Generator) -> Callable[[], object]:
    demands = cycle([_demand(rng, 60.0) for _ in range(50)])
    pods = {Role.PREFILL: 6, Role.DECODE: 3}
    return lambda: predict(next(demands), SPEC, pods)


def _sizings(rng: np.random.Generator, spec: FleetSpec = SPEC) -> Callable[[], object]:
    demands = cycle([_demand(rng, float(np.exp(rng.uniform(0, 6.9)))) for _ in range(200)])
    return lambda: size(next(demands), spec)


def _demand(rng: np.random.Generator, rate_rps: float) -> Demand:
    lengths = from_means(rng.uniform(500, 2000), rng.uniform(100, 400), input_cv=1.0, output_cv=0.8)
    return Demand(rate_rps=rate_rps, lengths=lengths)


def _times_s(call: Callable[[], object], calls: int) -> list[float]:
    times_s = []
    for _ in range(calls):
        began_s = time.process_time()
        call()
        times_s.append(time.process_time() - began_s)
    return times_s


def _foretold(observation: Observation, memory: Memory, spec: FleetSpec) -> object:
    """A plan that somebody asks what will come of it, as a scrape does, or who writes a status."""
    return plan(observation, memory, spec).prediction


def _plan_times_s(
    rng: np.random.Generator, calls: int, timed: Callable[[Observation, Memory, FleetSpec], object]
) -> list[float]:
    """Of a day whose rate swings, after an hour that fills the memory."""
    memory, pods, times_s = Memory(), dict.fromkeys(Role, 4), []
    for tick in range(720 + calls):
        seen = _observation(rng, tick, pods)
        if tick >= 720:
            began_s = time.process_time()
            timed(seen, memory, SPEC)
            times_s.append(time.process_time() - began_s)
        decided = plan(seen, memory, SPEC)
        memory = decided.memory
        pods = {role: decision.target for role, decision in decided.roles.items()}
    return times_s


def _observation(rng: np.random.Generator, tick: int, pods: dict[Role, int]) -> Observation:
    rate_rps = 60 + 40 * np.sin(tick / 200)
    arrivals = int(rng.poisson(rate_rps * INTERVAL_S))
    inputs, outputs = (
        np.exp(rng.normal(middle, spread, arrivals)) for middle, spread in ((7, 1), (5, 0.8))
    )
    requests = [
        (representative(int(i) + 1), 0, representative(int(o) + 1))
        for i, o in zip(inputs, outputs, strict=True)
    ]
    return Observation(
        now_s=tick * INTERVAL_S,
        pods={role: PodCounts(desired=count, ready=count) for role, count in pods.items()},
        traffic=Traffic(
            interval_s=INTERVAL_S,
            arrivals=Figure(float(arrivals)),
            dispersion=Figure(1.0 + rng.random()),
            lengths=LengthCounts.of(Counter(requests)),  # as a gateway counts them
            prompts=LengthCounts.of(Counter((*each[:2], 1) for each in requests)),
            queued_tokens=Figure(float(rng.integers(0, 50_000))),
        ),
    )


if __name__ == "__main__":
    main()
