"""Every bar of the simulator and where it stands.

    TANDEM_DATA=... python -m benchmarks.simulator [--quick]

Speed and memory are of the compiled simulator; all times are CPU time, for the machine may be shared. See
the single benchmarks for what is done and why: speed, scale, queueing, fidelity (which prints its own tables,
with the reasons for what is missed).
"""

import argparse
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tandem import compiled

if TYPE_CHECKING:  # what they import must come after `compiled.use`
    from benchmarks.simulator.scale import Scale
    from benchmarks.simulator.speed import Speed

FASTEST_PEER_RPS = 5_149  # NVIDIA Dynamo's replay on the same work (research: peers measured)
STARTED = ("simulate", "league", "trace", "trace look", "trace generate", "policies")


@dataclass(frozen=True, slots=True)
class Bar:
    """One figure: what it is, what was asked, what was found."""

    what: str
    asked: str
    found: str
    met: bool


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="no million requests, no fidelity")
    quick = parser.parse_args().quick
    for bar in bars(quick=quick):
        stands = "met" if bar.met else "MISSED"
        print(f"{bar.what:58} {bar.asked:>24} {bar.found:>24}  {stands}", flush=True)
    if not quick and os.environ.get("TANDEM_DATA"):
        from benchmarks.simulator import fidelity  # noqa: PLC0415 - pyarrow, SciPy

        print(
            "\nFidelity against measured engines (TPOT <= 2 %, E2E <= 5 %, TTFT <= 10 %, P99 <= 15 %):"
        )
        fidelity.main()


def bars(*, quick: bool) -> Iterator[Bar]:
    """The bars, as they are found; the simulator is imported only once it is compiled."""
    compiled.use(lambda line: print(line, file=sys.stderr))
    from benchmarks.simulator import queueing, scale, speed  # noqa: PLC0415

    yield from _speed(speed.measured(speed.scenario(speed.trace()), 3 if quick else 8))
    small, large = (scale.measured(pods, scale.REQUESTS) for pods in (8, 512))
    growth = large.us_per_request / small.us_per_request
    yield Bar("cost of a request, 512 pods to 8", "< 1.5 x", f"{growth:.2f} x", growth < 1.5)
    if not quick:
        yield from _million(scale.alone(64, 1_000_000))
    for command in STARTED:
        start_s = min(_start_s(command) for _ in range(5))
        name = f"tandem {command} --help, CPU time, best of 5"
        yield Bar(name, "< 0.5 s", f"{start_s:.2f} s", start_s < 0.5)
    for law, servers in queueing.QUEUES:
        for rho in queueing.RHOS:
            found = queueing.agreement(law, servers, rho)
            name = "M/G/1-PS" if law == "PS" else f"M/{law}/{servers}"
            met = abs(found.error) <= queueing.BAR
            yield Bar(f"mean of {name} at rho {rho}", "within 1 %", f"{found.error:+.2%}", met)


def _speed(found: "Speed") -> Iterator[Bar]:
    rate = found.requests_per_s
    yield Bar(
        "requests/s, Azure conversation, 4 + 4 pods",
        ">= 100,000",
        f"{rate:,.0f}",
        rate >= 100_000,
    )
    yield Bar(
        "  the same, against the fastest peer",
        ">= 20 x",
        f"{rate / FASTEST_PEER_RPS:.1f} x",
        rate >= 20 * FASTEST_PEER_RPS,
    )
    yield Bar(
        "  the same, in rounds of a heap loop",
        "<= 100",
        f"{1 / found.ratio:.0f}",
        found.ratio >= 0.01,
    )


def _million(found: "Scale") -> Iterator[Bar]:
    yield Bar("1 M requests on 64 pods", "< 30 s", f"{found.cpu_s:.1f} s", found.cpu_s < 30)
    gib = found.peak_bytes / 2**30
    yield Bar("  their memory, trace and all", "< 1 GB", f"{gib:.2f} GB", found.peak_bytes < 1e9)


def _start_s(command: str) -> float:
    begun_s = _children_s()
    program = "from tandem.cli.main import main; main()"
    words = [sys.executable, "-c", program, *command.split(), "--help"]
    subprocess.run(words, check=True, capture_output=True, cwd=Path.cwd())
    return _children_s() - begun_s


def _children_s() -> float:
    """CPU seconds of all processes that were started here and have ended: it waits for nothing else."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
