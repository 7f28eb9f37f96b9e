"""Does a task, in whatever process or on whatever machine; pure but for reading the trace."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tandem.simulator.flight import Outcome
from tandem.simulator.league import arrivals, fleet, floor
from tandem.simulator.league.job import Job, Steps, Survey, Task
from tandem.simulator.league.smooth import smooth_goodput
from tandem.simulator.pages.columns import requests
from tandem.simulator.pages.verdicts import MET, REASONS, verdicts
from tandem.simulator.result import Result
from tandem.simulator.run import simulate
from tandem.traces.columns import columns

MINUTE_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """One run's figures, plain values. `misses` and `came` count by minute of arrival."""

    arrivals: int
    attainment: float
    gpu_hours: float
    cost: float
    ttft_s: float | None
    tpot_s: float | None
    goodput_rps: float
    smooth_goodput: float
    switches: int
    starts: int
    duration_s: float
    replicas: Steps
    came: tuple[int, ...]
    misses: dict[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Surveyed:
    """What a case holds.

    Attributes:
        start: (prefill, decode) that every policy starts from.
        sized: the planner's sizing for the whole trace: where the search for `static_best` begins.
        floor_gpu_hours: what no schedule can go below (`league.floor`).
        bin_s, prefill_pods, decode_pods: pods at full efficiency that the work of each bin needs.

    """

    requests: int
    duration_s: float
    mean_input_tokens: float
    mean_output_tokens: float
    start: tuple[int, int]
    sized: tuple[int, int]
    floor_gpu_hours: float
    bin_s: float
    prefill_pods: tuple[float, ...]
    decode_pods: tuple[float, ...]


Done = Played | Surveyed


def do(task: Task) -> Done:
    """The result of any task."""
    return survey(task) if isinstance(task, Survey) else play(task)


def play(job: Job) -> Played:
    """Simulate a job and keep what a league shows of it."""
    result = simulate(fleet.scenario(job))
    came, misses = _minutes(result)
    latencies = result.latencies()
    return Played(
        arrivals=result.arrivals,
        attainment=result.attainment,
        gpu_hours=result.gpu_hours,
        cost=result.cost,
        ttft_s=latencies["ttft_s"].p99,
        tpot_s=latencies["tpot_s"].p99,
        goodput_rps=result.goodput_rps,
        smooth_goodput=_smooth(result),
        switches=0,
        starts=_starts(result),
        duration_s=result.scenario.trace.duration_s,
        replicas=_steps(result),
        came=came,
        misses=misses,
    )


def survey(task: Survey) -> Surveyed:
    """Look at a case once: what comes, the least that it needs, and where searches begin."""
    case = task.case
    trace = arrivals.trace(case.load, case.seed)
    seen = columns(trace)
    spec = fleet.fleet_spec(case.conditions)
    work = floor.work(trace, spec, fleet.times(case.conditions))
    prefill_pods, decode_pods = floor.pods_by_bin(work, seen.arrival_s, trace.duration_s)
    return Surveyed(
        requests=len(trace.requests),
        duration_s=trace.duration_s,
        mean_input_tokens=float(seen.input_tokens.mean()),
        mean_output_tokens=float(seen.output_tokens.mean()),
        start=fleet.start(case),
        sized=fleet.sized(case, 0.0, trace.duration_s),
        floor_gpu_hours=floor.gpu_hours(work, spec, trace.duration_s),
        bin_s=floor.BIN_S,
        prefill_pods=tuple(prefill_pods.round(4).tolist()),
        decode_pods=tuple(decode_pods.round(4).tolist()),
    )


def _minutes(result: Result) -> tuple[tuple[int, ...], dict[str, tuple[int, ...]]]:
    """Arrivals and misses by reason, minute by minute; a turn that never came has no minute."""
    seen = requests(result)
    minute = (seen.arrival_s // MINUTE_S).astype(np.int64)
    count = int(minute.max(initial=0)) + 1
    codes = verdicts(seen, result.scenario.spec.slo)
    missed = {code: minute[codes == code] for code in sorted(set(codes.tolist()) - {MET})}
    return _counts(minute, count), {
        REASONS[code]: _counts(minutes, count) for code, minutes in missed.items()
    }


def _counts(minute: NDArray[np.int64], count: int) -> tuple[int, ...]:
    return tuple(np.bincount(minute, minlength=count).tolist())


def _smooth(result: Result) -> float:
    ended = [
        (flight.request.output_tokens, flight.ttft_s, flight.ended_s - flight.arrival_s)
        for flight in result.flights
        if flight.outcome is Outcome.FINISHED and flight.ended_s is not None
    ]
    output_tokens, ttft_s, e2e_s = np.array(ended, dtype=np.float64).reshape(-1, 3).T
    duration_s = result.scenario.trace.duration_s or 1.0
    return smooth_goodput(output_tokens, ttft_s, e2e_s, result.scenario.spec.slo, duration_s)


def _steps(result: Result) -> Steps:
    """What was asked for over time."""
    asked = dict(result.scenario.replicas)
    prefill, decode = asked
    steps = {0.0: (asked[prefill], asked[decode])}
    for change in result.changes:
        asked[change.role] = change.after
        steps[change.t_s] = (asked[prefill], asked[decode])
    return tuple((t_s, *pair) for t_s, pair in steps.items())


def _starts(result: Result) -> int:
    """Pods asked for after the start; one whose drain was taken back counts too."""
    return sum(max(0, change.after - change.before) for change in result.changes)
