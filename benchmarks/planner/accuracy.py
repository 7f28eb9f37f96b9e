"""How far the planner's queueing models are from what they model: each bar, and where it stands.

    python -m benchmarks.planner.accuracy [--worst 20]

Error = |model - reference| / max(reference, a tenth of a service).
"""

import argparse
from collections.abc import Iterator
from functools import cache
from itertools import groupby

import numpy as np
from benchmarks.planner.central import FLOOR, services
from benchmarks.planner.references import LEVELS, Reference, read

from tandem.planner.queueing import prefill
from tandem.planner.queueing.prefill import PrefillWork

BAR = 0.10


def errors(reference: Reference) -> Iterator[float]:
    """Of P90, P95 and P99 of the wait for prefill, with their signs."""
    work = _work(reference.law, reference.scv)
    rate = reference.use * reference.servers / work.mean_s
    wait = prefill.wait(work, rate, reference.ca2, reference.servers)
    for level, known in zip(LEVELS, (reference.p90, reference.p95, reference.p99), strict=True):
        yield (wait.quantile_s(level) / work.mean_s - known) / max(known, FLOOR)


@cache
def _work(law: str, scv: float) -> PrefillWork:
    times = services(law, scv)
    return prefill.of_service(times, np.full(len(times), 1 / len(times)))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--worst", type=int, default=10)
    worst = parser.parse_args().worst
    table = [(row, tuple(errors(row))) for row in read()]
    for field in ("use", "servers", "ca2", "law"):
        ordered = sorted(
            table,
            key=lambda pair: (
                (str(getattr(pair[0], field)), pair[0].scv)
                if field == "law"
                else getattr(pair[0], field)
            ),
        )
        for value, group in groupby(
            ordered,
            key=lambda pair: (
                f"{getattr(pair[0], field)}" + (f" {pair[0].scv}" if field == "law" else "")
            ),
        ):
            _say(f"{field} {value}", np.array([each for _, each in group]))
    every = np.array([each for _, each in table])
    for place, level in enumerate(LEVELS):
        _say(f"P{level * 100:g}", every[:, [place]])
    _say("all", every)
    for row, each in sorted(table, key=lambda pair: -max(map(abs, pair[1])))[:worst]:
        print(row, " ".join(f"{error:+.1%}" for error in each))


def _say(name: str, errors: np.ndarray) -> None:
    size = np.abs(errors)
    print(
        f"{name:24} {errors.min():+7.1%} to {errors.max():+7.1%}   mean {size.mean():5.1%}"
        f"   within {BAR:.0%}: {(size <= BAR).mean():7.2%} of {size.size}"
    )


if __name__ == "__main__":
    main()
