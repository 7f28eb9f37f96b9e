"""How far the planner's queueing models are from what they model: each bar, and where it stands.

    python -m benchmarks.planner.accuracy [--quick] [--worst 20]

Waits for prefill and decode pools are compared with references that are kept (`references`, `pools`), in
seconds; transfers with the simulator's, played anew (a minute; `--quick` leaves most of them out).
Error = |model - reference| / max(reference, a tenth of a service, or of a stay in decode).
"""

import argparse
from collections.abc import Iterator
from functools import cache
from itertools import groupby

import numpy as np
from benchmarks.planner import handovers, pools
from benchmarks.planner.central import FLOOR, services
from benchmarks.planner.pools import PoolReference
from benchmarks.planner.references import LEVELS, Reference, read

from tandem.planner.demand import Floats
from tandem.planner.queueing import decode, prefill
from tandem.planner.queueing.prefill import PrefillWork
from tandem.planner.queueing.tokens import steps_within

BAR = 0.10
POOL_BARS = {"n*": 0.03, "mean ITL": 0.03, "P99 ITL": 0.05, "P95 wait for KV": 0.20}
TRANSFER_BAR = 0.20  # our own: none was set


def errors(reference: Reference) -> Iterator[float]:
    """Of P90, P95 and P99 of the wait for prefill, with their signs."""
    work = _work(reference.law, reference.scv)
    rate = reference.use * reference.servers / work.mean_s
    wait = prefill.wait(work, rate, reference.ca2, reference.servers)
    for level, known in zip(LEVELS, (reference.p90, reference.p95, reference.p99), strict=True):
        yield (wait.quantile_s(level) / work.mean_s - known) / max(known, FLOOR)


def pool_errors(reference: PoolReference) -> tuple[float, ...]:
    """Of the figures of `POOL_BARS`, with their signs."""
    profile, lengths, rate_rps = reference.setting()
    work = decode.work(profile, lengths)
    pool = decode.pool(work, rate_rps, reference.replicas)
    seconds = np.linspace(pool.step_s[0], pool.step_s[-1], 20_000)
    step99_s = float(np.interp(0.99, steps_within(pool, seconds), seconds))
    wait_s = pool.admission.quantile_s(0.95)
    least_s = pools.FLOOR * reference.stay_s
    return (
        pool.residents / reference.n - 1,
        pool.mean_step_s / reference.step_s - 1,
        step99_s / reference.step99_s - 1,
        (wait_s - reference.wait95_s) / max(reference.wait95_s, least_s),
    )


@cache
def _work(law: str, scv: float) -> PrefillWork:
    times = services(law, scv)
    return prefill.of_service(times, np.full(len(times), 1 / len(times)))


def main() -> None:
    """Print all tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--worst", type=int, default=10)
    parser.add_argument("--quick", action="store_true", help="few transfers, no parts of tables")
    asked = parser.parse_args()
    print("WAIT FOR PREFILL against exact or simulated queues")
    _prefill(0 if asked.quick else asked.worst, parts=not asked.quick)
    print("\nDECODE against the engine's rules")
    _pools(0 if asked.quick else asked.worst)
    print("\nTRANSFERS against the simulator")
    _transfers(quick=asked.quick)


def _prefill(worst: int, *, parts: bool) -> None:
    table = [(row, tuple(errors(row))) for row in read()]
    for field in ("use", "servers", "ca2", "law") if parts else ():
        named = sorted(
            ((*_named(row, field), each) for row, each in table), key=lambda row: row[:2]
        )
        for name, group in groupby(named, key=lambda row: row[1]):
            _say(f"{field} {name}", np.array([each for *_, each in group]), BAR)
    every = np.array([each for _, each in table])
    for place, level in enumerate(LEVELS):
        _say(f"P{level * 100:g}", every[:, [place]], BAR)
    _say("all", every, BAR)
    for row, each in sorted(table, key=lambda pair: -max(map(abs, pair[1])))[:worst]:
        print(row, " ".join(f"{error:+.1%}" for error in each))


def _named(row: Reference, field: str) -> tuple[float, str]:
    """What a part of the table is ordered by, and its name."""
    value = getattr(row, field)
    return (0.0, f"{value} {row.scv}") if field == "law" else (float(value), f"{value}")


def _pools(worst: int) -> None:
    table = [(row, pool_errors(row)) for row in pools.read()]
    every = np.array([each for _, each in table])
    for place, (name, bar) in enumerate(POOL_BARS.items()):
        _say(name, every[:, place], bar)
    _waits(table)
    shares = np.array(
        [
            decode.pool(decode.work(*row.setting()[:2]), row.setting()[2], row.replicas).preempted
            - row.preempted
            for row, _ in table
        ]
    )
    _say("preempted share of requests (points)", shares, 0.05)
    for row, each in sorted(table, key=lambda pair: -abs(pair[1][-1]))[:worst]:
        print(row, " ".join(f"{error:+.1%}" for error in each))


def _waits(table: list[tuple[PoolReference, tuple[float, ...]]]) -> None:
    """Where the P95 is 0, most of any table, a model is right by telling 0: the others are what counts."""
    waiting = [(row, each[-1]) for row, each in table if row.wait95_s > 0]
    bar = POOL_BARS["P95 wait for KV"]
    _say("  of pools whose P95 is not 0", np.array([error for _, error in waiting]), bar)
    _say("    and unlike those fitted to", np.array([e for row, e in waiting if row.is_new]), bar)
    widths = np.array([row.half_width for row, _ in waiting])
    exact = int((widths <= pools.HALF_WIDTH).sum())
    print(
        f"    their references: half of a 95 % interval {widths.min():.0%} to {widths.max():.0%},"
        f" median {np.median(widths):.0%}; {exact} of {len(widths)} within {pools.HALF_WIDTH:.0%}"
    )


def _transfers(*, quick: bool) -> None:
    table = list(handovers.compared(quick=quick))
    for name, place in (("mean", 0), ("P95", 1)):
        for push in (False, True):
            these = [row.errors[place] for row in table if bool(row.push_layers) is push]
            _say(f"{name}, {'pushed' if push else 'pulled'}", np.array(these), TRANSFER_BAR)
    for row in table if not quick else ():
        print(row)


def _say(name: str, errors: Floats, bar: float) -> None:
    size = np.abs(errors)
    print(
        f"{name:36} {errors.min():+8.1%} to {errors.max():+8.1%}   mean {size.mean():6.1%}"
        f"   within {bar:.0%}: {(size <= bar).mean():7.2%} of {size.size}"
    )


if __name__ == "__main__":
    main()
