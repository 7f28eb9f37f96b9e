"""Reference waits of GI/G/c queues, kept in `waits.csv`: what `accuracy` compares the planner with.

Exact for one server; for more by simulation until the 95 % confidence interval of P90, P95 and P99 is
within 2 % (of the wait, or of a tenth of a service where that is more). The single server as fast as all
sees the same customers, and its law is known exactly: what its sample has too much, the sample of the
queue loses (a control variate, worth ten times the customers in heavy traffic).

    python -m benchmarks.planner.references [--only 200]      writes the table anew, some 20 minutes
"""

import argparse
import csv
from collections.abc import Iterator
from dataclasses import astuple, dataclass, fields
from itertools import product
from multiprocessing import Pool
from pathlib import Path
from zlib import crc32

import numpy as np

from benchmarks.planner.central import Floats, Queue, Run, beyond, quantiles, single_server

TABLE = Path(__file__).with_name("waits.csv")
LEVELS = np.array([0.90, 0.95, 0.99])
BATCHES = 20
STUDENT = 2.10  # 95 %, two-sided, 18 degrees of freedom
GOAL = 0.02  # half width of the interval
FLOOR = 0.1  # services: shorter waits are compared with this
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
        return Queue(
            servers=self.servers, use=self.use, ca2=self.ca2, law=self.law, scv=self.scv
        )


def read() -> Iterator[Reference]:
    """The table as it is kept."""
    with TABLE.open() as lines:
        for row in csv.DictReader(lines):
            values = {name: float(value) for name, value in row.items() if name != "law"}
            values["servers"] = int(values["servers"])
            yield Reference(law=row["law"], **values)


def measured(queue: Queue) -> Reference:
    """The waits of a queue, as exact as asked."""
    waits, half = _simulated(queue) if queue.servers > 1 else (single_server(queue, LEVELS), 0.0)
    shape = {name: getattr(queue, name) for name in ("servers", "use", "ca2", "law", "scv")}
    p90, p95, p99 = (round(float(wait), 4) for wait in waits)
    return Reference(**shape, p90=p90, p95=p95, p99=p99, half_width=round(half, 4))


def _simulated(queue: Queue) -> tuple[Floats, float]:
    exact = single_server(queue, LEVELS)
    run = Run(queue, (crc32(repr(queue).encode()),))
    size = int(max(1e5, 20 * (queue.ca2 + queue.scv) / (1 - queue.use) ** 2))
    run.counts(size)
    batches = [run.counts(size) for _ in range(BATCHES)]
    while True:
        waits, half = _controlled(batches, exact)
        if half <= GOAL:
            return waits, half
        size *= 2  # twice as many: the old ones pair up, and as many come
        old = [tuple(np.add(*pair) for pair in zip(*batches[i : i + 2])) for i in range(0, BATCHES, 2)]
        batches = [*old, *(run.counts(size) for _ in range(BATCHES // 2))]


def _controlled(batches: list, exact: Floats) -> tuple[Floats, float]:
    """Quantiles and the widest half interval, with the single server as control variate."""
    central, single = (np.sum([batch[i] for batch in batches], axis=0) for i in (0, 1))
    waits, widest = [], 0.0
    for level, known in zip(LEVELS, exact, strict=True):
        raw = float(quantiles(central, np.array([level]))[0])
        seen = np.array([[beyond(one, raw), beyond(other, known)] for one, other in batches])
        spread = np.cov(seen.T)
        slope = spread[0, 1] / spread[1, 1] if known > 0 and spread[1, 1] > 0 else 0.0
        off = slope * (seen[:, 1].mean() - (1 - level)) if known > 0 else 0.0
        rest = seen[:, 0] - slope * seen[:, 1]
        half = STUDENT * rest.std(ddof=1) / np.sqrt(BATCHES)
        shares = np.clip(np.array([level, level - half, level + half]) - off, 0.0, 1 - 1e-9)
        wait, low, high = quantiles(central, shares)
        waits.append(wait)
        widest = max(widest, (high - low) / 2 / max(wait, FLOOR))
    return np.array(waits), float(widest)


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
