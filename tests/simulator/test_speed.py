"""The floor of the simulator's speed: in CPU time, against a loop of the standard library in the same run."""

import os
import subprocess
import sys

import pytest

from tandem import compiled

FLOOR = (
    0.005  # requests a heap round: half of what 100,000 requests/s were where they were measured
)

PROGRAM = """
from tandem import compiled
assert compiled.use(), "the floor is of the compiled simulator"
from benchmarks.simulator.speed import measured, scenario, trace
print(measured(scenario(trace()), 3).ratio)
"""


@pytest.mark.skipif(bool(compiled._lacks()), reason=f"no compiler: {compiled._lacks()}")
def test_a_request_costs_at_most_200_rounds_of_a_heap_loop() -> None:
    environment = {**os.environ, compiled.SWITCH: "", "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=True
    )
    assert float(done.stdout) >= FLOOR
