"""A run's requests and pods as columns: the only place that knows how a result keeps them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tandem.api.role import Role
from tandem.simulator.flight import Flight, Outcome
from tandem.simulator.result import Result

Floats = NDArray[np.float64]
Codes = NDArray[np.int8]

FINISHED, REFUSED, UNFINISHED, FAILED = range(4)
_CODES = {Outcome.FINISHED: FINISHED, Outcome.REFUSED: REFUSED, Outcome.UNFINISHED: UNFINISHED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Requests:
    """One entry a request, in seconds; NaN where there is none."""

    arrival_s: Floats
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
    flights = sorted(result.flights, key=lambda flight: flight.arrival_s)
    rows = np.array([_row(flight) for flight in flights], dtype=np.float64).reshape(-1, 8).T
    return Requests(
        arrival_s=rows[0],
        queue_s=rows[1],
        prefill_s=rows[2],
        transfer_s=rows[3],
        ttft_s=rows[4],
        tpot_s=rows[5],
        e2e_s=rows[6],
        outcome=rows[7].astype(np.int8),
    )


def _row(flight: Flight) -> tuple[float | None, ...]:
    return (
        flight.arrival_s,
        _between(flight.arrival_s, flight.started_s),
        _between(flight.started_s, flight.prefilled_s),
        _between(flight.pull_began_s, flight.pulled_s),
        _between(flight.arrival_s, flight.first_token_s),
        flight.tpot_s,
        _between(flight.arrival_s, flight.ended_s),
        _CODES[flight.outcome or Outcome.UNFINISHED],
    )


def _between(begin_s: float | None, end_s: float | None) -> float | None:
    return None if begin_s is None or end_s is None else end_s - begin_s


def pods(result: Result) -> dict[Role, Pods]:
    """What was asked of each role, and what stood, over time."""
    return {role: _pods(result, role) for role in result.replicas}


def _pods(result: Result, role: Role) -> Pods:
    changes = [change for change in result.changes if change.role is role]
    asked = [result.scenario.replicas[role], *(change.after for change in changes)]
    unknown = np.full(len(asked), np.nan)
    return Pods(
        t_s=np.array([0.0, *(change.t_s for change in changes)]),
        asked=np.array(asked, dtype=np.float64),
        ready=unknown,
        starting=unknown,
        draining=unknown,
    )
