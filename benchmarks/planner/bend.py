"""Fits `planner/queueing/bend.csv`: how waits for prefill depart from the exponential of heavy traffic.

Queues are drawn at random over use, servers, arrivals and laws of service, their waits measured
(`central.py`), and the departures fitted by least squares: each knot's error weighs as the error of the
wait that it causes does.

    python -m benchmarks.planner.bend measure queues.jsonl --queues 3000     some 15 minutes
    python -m benchmarks.planner.bend fit queues.jsonl
"""

import argparse
import json
from dataclasses import asdict
from functools import cache
from multiprocessing import Pool
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.planner.central import FLOOR, Floats, Queue, quantiles, services

from tandem.planner.queueing import bend
from tandem.planner.queueing.bend import ServiceLaw
from tandem.planner.queueing.erlang import ln_delay_probability

BEYOND = np.concatenate([np.linspace(0.95, 0.25, 15), np.geomspace(0.2, 0.001, 18)])
HALF_WIDTH = 0.05  # of the confidence intervals of waits
CA2S = (0.25, 0.35, 0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0, 5.6)
LAWS = {
    "two-point": 0.42,
    "lognormal": 0.28,
    "gamma": 0.15,
    "uniform": 0.05,
    "deterministic": 0.05,
    "exponential": 0.05,
}
RIDGE = 0.03
LEAST_LN = -14.0  # of what is told of P(W > t) beyond the last wait measured


def drawn(seed: int) -> Queue:
    """A queue at random."""
    rng = np.random.default_rng(seed)
    law = str(rng.choice(list(LAWS), p=list(LAWS.values())))
    share = float(np.exp(rng.uniform(np.log(0.03), np.log(0.5))))
    scv = float(np.exp(rng.uniform(np.log(0.1), np.log(6.0))))
    most = {"two-point": 0.98 * (1 - share) / share, "uniform": 0.33}.get(law, 6.0)
    return Queue(
        servers=round(float(np.exp(rng.uniform(-0.3, np.log(100))))) or 1,
        use=1 - float(np.exp(rng.uniform(np.log(0.03), np.log(0.62)))),
        ca2=float(rng.choice(CA2S)),
        law=law,
        scv={"deterministic": 0.0, "exponential": 1.0}.get(law, min(scv, most)),
        share=share,
    )


def measured(seed: int) -> dict[str, Any]:
    """The shares that wait longer than each wait, for one drawn queue."""
    queue = drawn(seed)
    waits, _ = quantiles(queue, 1 - BEYOND, half_width=HALF_WIDTH)
    return {"queue": asdict(queue), "waits": np.round(waits, 5).tolist()}


def departures(row: dict[str, Any]) -> tuple[Floats, Floats, Floats] | None:
    """Terms, departures at the knots and their weights; None where too few wait to tell."""
    queue, waits = Queue(**row["queue"]), np.array(row["waits"])
    seen = np.flatnonzero(waits > 0)
    if len(seen) < 4:
        return None
    law = _law(queue.law, queue.scv, queue.share)
    load, peakedness = queue.use * queue.servers, law.peakedness(queue.ca2)
    start = ln_delay_probability(load / peakedness, queue.servers / peakedness)
    times, logs = waits[seen], np.log(BEYOND[seen])
    knots = bend.KNOTS * (queue.ca2 + law.scv) / 2 / queue.servers / (1 - queue.use)
    told = np.interp(knots, times, logs)
    told += _fall(times, logs, 0, 1) * np.minimum(knots - times[0], 0)
    told += _fall(times, logs, -4, -1) * np.maximum(knots - times[-1], 0)
    told = np.clip(told, LEAST_LN, 0.0)
    slope = np.gradient(told, knots)
    weights = 1 / np.maximum(-slope, 1e-3) / np.maximum(knots, FLOOR)
    weights = np.clip(weights, 0.0, 5.0) * np.where(knots > times[-1], 0.1, 1.0)
    weights *= np.where(told > np.log(0.3), 0.3, 1.0) * np.where(told < np.log(0.003), 0.15, 1.0)
    terms = bend.terms(law, queue.ca2, load, queue.servers)
    return terms, told - start + bend.KNOTS, weights + 0.01


def _fall(times: Floats, logs: Floats, one: int, other: int) -> float:
    """Slope between two of the measured points."""
    return float(logs[other] - logs[one]) / max(float(times[other] - times[one]), 1e-6)


def fitted(rows: list[dict[str, Any]]) -> Floats:
    """Coefficients, shape (terms, knots)."""
    parts = [part for part in map(departures, rows) if part is not None]
    terms, bent, weights = (np.array(each) for each in zip(*parts, strict=True))
    ridge = RIDGE * np.eye(terms.shape[1])
    columns = []
    for knot in range(bent.shape[1]):
        weighted = terms * weights[:, [knot]]
        columns.append(np.linalg.solve(terms.T @ weighted + ridge, weighted.T @ bent[:, knot]))
    return np.column_stack(columns)


@cache
def _law(law: str, scv: float, share: float) -> ServiceLaw:
    times = services(law, scv, share)
    return ServiceLaw.of(times, np.full(len(times), 1 / len(times)))


def main() -> None:
    """Measure or fit."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("measure", "fit"))
    parser.add_argument("file", type=Path)
    parser.add_argument("--queues", type=int, default=3000)
    asked = parser.parse_args()
    if asked.what == "measure":
        with Pool(2) as pool, asked.file.open("w") as lines:
            for row in pool.imap_unordered(measured, range(asked.queues)):
                lines.write(json.dumps(row) + "\n")
        return
    rows = [json.loads(line) for line in asked.file.read_text().splitlines()]
    np.savetxt(str(bend.TABLE), fitted(rows), fmt="%.4g", delimiter=",")


if __name__ == "__main__":
    main()
