"""Reference waits of GI/G/c queues, kept in `waits.csv`: what `accuracy` compares the planner with.

Exact for one server; for more by simulation until the 95 % confidence interval of P90, P95 and P99 is
within 2 % (of the wait, or of a tenth of a service where that is more).

    python -m benchmarks.planner.references [--only 200]      writes the table anew, some 20 minutes
"""

import argparse
import csv
from collections.abc import Iterator
from dataclasses import astuple, dataclass, fields
from itertools import product
from multiprocessing import Pool
from pathlib import Path

import numpy as np
from benchmarks.planner.central import Queue, quantiles

TABLE = Path(__file__).with_name("waits.csv")
LEVELS = np.array([0.90, 0.95, 0.99])
HALF_WIDTH = 0.02
USES = (0.5, 0.7, 0.8, 0.9, 0.95)
SERVERS = (1, 2, 4, 8, 16, 64)
CA2S = (0.5, 1.0, 2.0, 4.0)
LAWS = (
    ("deterministic", 0.0),
    ("exponential", 1.0),
    *product(("lognormal", "two-point"), (0.3, 2.0, 5.0)),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """Quantiles of the wait in mean services, and the widest half interval over them (0: exact)."""

    servers: int
    use: float
    ca2: float
    law: str
    scv: float
    p90: float
    p95: float
    p99: float
    half_width: float

    @property
    def queue(self) -> Queue:
        """The queue whose waits these are."""
        return Queue(servers=self.servers, use=self.use, ca2=self.ca2, law=self.law, scv=self.scv)


def read() -> Iterator[Reference]:
    """The table as it is kept."""
    with TABLE.open() as lines:
        for row in csv.DictReader(lines):
            law, servers = row.pop("law"), int(row.pop("servers"))
            numbers = {name: float(value) for name, value in row.items()}
            yield Reference(law=law, servers=servers, **numbers)


def measured(queue: Queue) -> Reference:
    """The waits of a queue, as exact as asked."""
    waits, half = quantiles(queue, LEVELS, half_width=HALF_WIDTH)
    p90, p95, p99 = (round(float(wait), 4) for wait in waits)
    return Reference(
        servers=queue.servers,
        use=queue.use,
        ca2=queue.ca2,
        law=queue.law,
        scv=queue.scv,
        p90=p90,
        p95=p95,
        p99=p99,
        half_width=round(half, 4),
    )


def queues() -> list[Queue]:
    """All that are compared."""
    return [
        Queue(servers=servers, use=use, ca2=ca2, law=law, scv=scv)
        for use, servers, ca2, (law, scv) in product(USES, SERVERS, CA2S, LAWS)
    ]


def main() -> None:
    """Measure all queues, two at a time, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", type=int, help="of the queues, evenly chosen")
    only = parser.parse_args().only
    chosen = queues()[:: max(1, len(queues()) // only)] if only else queues()
    with Pool(2) as pool, TABLE.open("w", newline="") as lines:
        table = csv.writer(lines, lineterminator="\n")
        table.writerow(field.name for field in fields(Reference))
        for place, row in enumerate(pool.imap(measured, chosen), start=1):
            table.writerow(astuple(row))
            lines.flush()
            print(f"\r{place} of {len(chosen)}", end="", flush=True)
    print()


if __name__ == "__main__":
    main()
