"""Does a task, in whatever process or on whatever machine; pure but for reading the trace."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tandem.api.role import Role
from tandem.simulator.flight import Outcome
from tandem.simulator.league import arrivals, fleet, floor
from tandem.simulator.league.job import Job, Steps, Survey, Task
from tandem.simulator.league.smooth import smooth_goodput
from tandem.simulator.league.steps import merged
from tandem.simulator.pages.columns import pods, requests
from tandem.simulator.pages.verdicts import MET, REASONS, verdicts
from tandem.simulator.result import Result
from tandem.simulator.run import simulate
from tandem.traces.columns import columns

MINUTE_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """One run's figures, plain values.

    `came` and `misses` count by minute of arrival; `pods` are those not gone in each of these minutes,
    `replicas` what was asked for over time.
    """

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
    pods: tuple[int, ...]


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
        switches=result.switches,
        starts=_starts(result),
        duration_s=result.scenario.trace.duration_s,
        replicas=_steps(result),
        came=came,
        misses=misses,
        pods=_pods(result, len(came)),
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
    table, slo = result.table, result.scenario.spec.slo
    done = table.is_outcome(Outcome.FINISHED)
    columns_s = table.output_tokens[done].astype(np.float64), table.ttft_s[done], table.e2e_s[done]
    return smooth_goodput(*columns_s, slo, result.scenario.trace.duration_s or 1.0)


def _steps(result: Result) -> Steps:
    """What was asked for over time."""
    asked: dict[Role, int] = {}
    steps: dict[float, tuple[int, int]] = {}
    for row in result.over_time:
        asked[row.role] = row.pods.desired
        if len(asked) == len(Role):
            steps[row.t_s] = (asked[Role.PREFILL], asked[Role.DECODE])
    return merged((t_s, *pair) for t_s, pair in steps.items())


def _pods(result: Result, minutes: int) -> tuple[int, ...]:
    """Pods that were not gone, starting and draining ones too, at the middle of each minute."""
    middles_s = (np.arange(minutes) + 0.5) * MINUTE_S
    total = np.zeros(minutes, dtype=np.int64)
    for of in pods(result).values():
        alive = (of.ready + of.starting + of.draining).astype(np.int64)
        total += alive[np.maximum(np.searchsorted(of.t_s, middles_s, side="right") - 1, 0)]
    return tuple(total.tolist())


def _starts(result: Result) -> int:
    """Pods started after the beginning; one whose drain is taken back is not started."""
    alive = (of.ready + of.starting + of.draining for of in pods(result).values())
    return int(sum(np.maximum(np.diff(counts), 0).sum() for counts in alive))
