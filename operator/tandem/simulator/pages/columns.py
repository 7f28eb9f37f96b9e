"""A run's requests and pods as columns: the only place that knows how a result keeps them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tandem.api.role import Role
from tandem.simulator.flight import Outcome
from tandem.simulator.recorder import OUTCOMES
from tandem.simulator.result import Result

Floats = NDArray[np.float64]
Codes = NDArray[np.int8]

FINISHED, REFUSED, UNFINISHED, FAILED = range(4)
_MEANS = {
    Outcome.FINISHED: FINISHED,
    Outcome.REFUSED: REFUSED,
    Outcome.UNFINISHED: UNFINISHED,
    Outcome.FAILED: FAILED,
}
_CODES = np.array([_MEANS[outcome] for outcome in OUTCOMES], dtype=np.int8)


@dataclass(frozen=True, slots=True, kw_only=True)
class Requests:
    """One entry a request, in seconds; NaN where there is none."""

    arrival_s: Floats
    encode_s: Floats
    queue_s: Floats
    prefill_s: Floats
    transfer_s: Floats
    ttft_s: Floats
    tpot_s: Floats
    e2e_s: Floats
    outcome: Codes


@dataclass(frozen=True, slots=True)
class Pods:
    """Replicas of one role over time; each row holds until the next."""

    t_s: Floats
    asked: Floats
    ready: Floats
    starting: Floats
    draining: Floats


def requests(result: Result) -> Requests:
    """Every request that came, by arrival."""
    table = result.table
    order = np.argsort(table.arrival_s, kind="stable")
    prefill_s = table.times["prefilled_s"] - table.times["started_s"]
    return Requests(
        arrival_s=table.arrival_s[order],
        encode_s=table.encode_s[order],
        queue_s=table.queue_s[order],
        prefill_s=prefill_s[order],
        transfer_s=table.transfer_s[order],
        ttft_s=table.ttft_s[order],
        tpot_s=table.tpot_s[order],
        e2e_s=table.e2e_s[order],
        outcome=_CODES[table.outcomes[order]],
    )


def duration_s(result: Result) -> float:
    """How long requests came: all of the trace, the late turns of its sessions, or until it was stopped."""
    if result.cut_s is not None:
        return result.cut_s
    last_s = float(result.table.arrival_s.max(initial=0.0))
    return max(result.scenario.trace.duration_s, last_s)


def pods(result: Result) -> dict[Role, Pods]:
    """What was asked of each role, and what stood, over time: a row for each moment of change."""
    return {role: _pods(result, role) for role in result.replicas}


def _pods(result: Result, role: Role) -> Pods:
    at = {row.t_s: row.pods for row in result.over_time if row.role is role}  # the last of a moment
    counts = np.array(
        [(pods.desired, pods.ready, pods.starting, pods.draining) for pods in at.values()],
        dtype=np.float64,
    ).reshape(-1, 4)
    kept = np.append(True, np.any(np.diff(counts, axis=0), axis=1))[: len(counts)]
    return Pods(np.array(list(at))[kept], *counts[kept].T)
