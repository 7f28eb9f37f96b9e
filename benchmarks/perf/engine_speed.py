"""What one iteration of the engine costs, beside a fixed loop over a heap.

    python -m benchmarks.perf.engine_speed

The ratio carries from machine to machine where microseconds do not. An iteration must cost the same
at 10 sequences as at 200: a simulated hour of a busy fleet is tens of millions of them.
"""

import heapq
from collections.abc import Callable
from dataclasses import replace
from time import perf_counter

from tandem.perf.engine import Engine
from tandem.perf.library import profile
from tandem.perf.sequence import Sequence

ITERATIONS = 20_000
ROUNDS = 5
PROFILE = profile("h200-llama-3.1-8b-fp8-tp1")


def heap_loop() -> None:
    """The yardstick: push and pop on a heap of 1,000 floats, once an iteration."""
    heap = [float(i) for i in range(1000)]
    for i in range(ITERATIONS):
        heapq.heappush(heap, heapq.heappop(heap) + i % 7)


def decode_loop(sequences: int) -> Callable[[], None]:
    """Iterations of a batch in which nobody ends."""

    def loop() -> None:
        for _ in range(ITERATIONS):
            engine.begin()
            engine.end()

    engine = Engine(replace(PROFILE, kv=replace(PROFILE.kv, capacity_tokens=10**9)))
    for i in range(sequences):
        engine.add(Sequence(key=str(i), input_tokens=100 + i, output_tokens=10**6))
    while len(engine.batch) < sequences:
        engine.begin()
        engine.end()
    return loop


def turnover_loop() -> None:
    """Iterations in which every tenth admits a prompt of 512 tokens that emits 200."""
    engine = Engine(PROFILE)
    for i in range(ITERATIONS):
        if i % 10 == 0:
            engine.add(Sequence(key=str(i), input_tokens=512, output_tokens=200))
        if engine.begin():
            engine.end()


def iteration_us(loop: Callable[[], None]) -> float:
    """Microseconds of one iteration, the best of some rounds."""
    best_s = float("inf")
    for _ in range(ROUNDS):
        begun_s = perf_counter()
        loop()
        best_s = min(best_s, perf_counter() - begun_s)
    return best_s / ITERATIONS * 1e6


def main() -> None:
    """Print each loop's cost and its ratio to the yardstick."""
    yardstick_us = iteration_us(heap_loop)
    loops = {
        "heap of 1,000": heap_loop,
        "decode, 10 sequences": decode_loop(10),
        "decode, 200 sequences": decode_loop(200),
        "decode, 20 come and go": turnover_loop,
    }
    for name, loop in loops.items():
        cost_us = iteration_us(loop)
        print(f"{name:24} {cost_us:6.2f} us   {cost_us / yardstick_us:6.2f} x the heap")


if __name__ == "__main__":
    main()
