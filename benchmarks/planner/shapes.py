"""Loads by the shape of their rate alone, to see what the planner makes of what no suite holds.

    TANDEM_DATA=... .venv/bin/python -m benchmarks.planner.shapes [--draw 2] [-- LEAGUE OPTIONS]

Draws each shape, an hour or two at Azure's lengths, and lets `tandem` play on them all in a league: what it
reaches untuned, and what the oracle and the best fixed fleet need. Settings of the planner were chosen on draw 1.
"""

import argparse
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from tandem.cli.main import run
from tandem.planner.demand import Floats
from tandem.traces import lengths
from tandem.traces.columns import Columns, requests
from tandem.traces.generate import AZURE_INPUT, AZURE_OUTPUT
from tandem.traces.model import Trace, over
from tandem.traces.write import write_trace

HOUR_S = 3600.0
STEP_S = 1.0  # of a rate that is told as a function of time
INPUT, OUTPUT = (replace(law, longest=16_000) for law in (AZURE_INPUT, AZURE_OUTPUT))
LEAGUE = ("--policy", "tandem", "--routing", "tandem", "--ttft", "3s", "--oracle-effort", "24")
Draw = Callable[[np.random.Generator], Floats]


def streamed(rate_rps: Callable[[Floats], Floats], lasts_s: float = HOUR_S) -> Draw:
    """Poisson arrivals at a rate that moves."""

    def draw(rng: np.random.Generator) -> Floats:
        seconds = np.arange(0.0, lasts_s, STEP_S)
        counts = rng.poisson(rate_rps(seconds) * STEP_S)
        at_s: Floats = np.repeat(seconds, counts) + rng.uniform(0, STEP_S, counts.sum())
        return at_s

    return draw


def batched(rate_rps: float, gap_cv: float, lasts_s: float = HOUR_S) -> Draw:
    """Gamma gaps of such a variation: at 13 some hundred requests at once, and then none for as long."""

    def draw(rng: np.random.Generator) -> Floats:
        gaps = rng.gamma(gap_cv**-2, gap_cv**2 / rate_rps, int(3 * rate_rps * lasts_s) + 5000)
        at_s = gaps.cumsum()
        return at_s[at_s < lasts_s]

    return draw


def spelled(
    idle_rps: float, busy_rps: tuple[float, ...], means_s: tuple[float, float], lasts_s: float
) -> Draw:
    """Idle and busy spells of exponential length (their means), busy ones at any of some rates."""

    def draw(rng: np.random.Generator) -> Floats:
        rates = np.empty(int(lasts_s / STEP_S))
        place = 0
        for is_busy in cycle((False, True)):
            if place >= len(rates):
                break
            width = max(1, round(rng.exponential(means_s[is_busy]) / STEP_S))
            rates[place : place + width] = rng.choice(busy_rps) if is_busy else idle_rps
            place += width
        return streamed(lambda _: rates, lasts_s)(rng)

    return draw


def _square(low_rps: float, high_rps: float) -> Draw:
    return streamed(lambda t_s: np.where(t_s % 900 < 450, high_rps, low_rps))


SHAPES: Mapping[str, Draw] = {
    "step": streamed(lambda t_s: np.where((t_s > 1200) & (t_s < 2400), 20.0, 5.0)),
    "ramp": streamed(lambda t_s: np.where(t_s < 2700, 2 + 28 * np.minimum(t_s / 2400, 1), 2.0)),
    "wave": streamed(lambda t_s: 10 + 8 * np.sin(2 * np.pi * t_s / 7200), 2 * HOUR_S),
    "square": _square(5.0, 20.0),
    "steep-square": _square(10.0, 60.0),
    "silence": streamed(lambda t_s: np.where((t_s > 1200) & (t_s < 2400), 0.0, 15.0)),
    "flash": streamed(lambda t_s: np.where((t_s % 600 < 30) & (t_s > 300), 48.0, 8.0)),
    "spells": spelled(0.2, (10.0, 20.0, 40.0), (240.0, 90.0), 2 * HOUR_S),
    "short-spells": spelled(2.0, (40.0,), (40.0, 10.0), HOUR_S),
    "batches-3": batched(3.0, 13.0),
    "batches-10": batched(10.0, 13.0, 2 * HOUR_S),
    "batches-40": batched(40.0, 13.0),
    "small-batches": batched(10.0, 6.0),
}


def main() -> int:
    """Draw them and play; the league's own exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draw", type=int, default=2, help="which one of each shape")
    parser.add_argument("league", nargs="*", help="more options of tandem league")
    asked = parser.parse_args()
    with TemporaryDirectory() as folder:
        files = [Path(folder) / f"{name}.jsonl" for name in SHAPES]
        for file, (name, draw) in zip(files, SHAPES.items(), strict=True):
            write_trace(_trace(name, draw, np.random.default_rng(asked.draw)), file)
        traces = [word for file in files for word in ("--trace", str(file))]
        return run(["league", *traces, *LEAGUE, *asked.league])


def _trace(name: str, draw: Draw, rng: np.random.Generator) -> Trace:
    at_s = np.sort(draw(rng))
    inputs, outputs = (lengths.drawn(at_s, law, rng) for law in (INPUT, OUTPUT))
    drawn = Columns(arrival_s=at_s, input_tokens=inputs, output_tokens=outputs)
    return over(name, requests(drawn), float(at_s[-1]))


if __name__ == "__main__":
    sys.exit(main())
