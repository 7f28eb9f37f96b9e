"""What a worker is asked: plain values that travel between processes and machines, and their key.

A key is a digest of all that decides a result: the job itself, which holds the digest of its trace file
and of its profile, and the source that plays it (`fingerprint.source`).
"""

import json
from dataclasses import asdict, dataclass, replace
from hashlib import sha256

Steps = tuple[tuple[float, int, int], ...]  # (time s, prefill, decode) asked for from then on


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """A trace: a file (`path`, with the `digest` of its bytes) or a built-in one (`built_in`).

    `start_s` and `duration_s` cut a window out of it; `rate_rps` thins a file or lays shifted copies over
    it, and draws a built-in load at another rate.
    """

    name: str
    path: str = ""
    digest: str = ""
    built_in: str = ""
    start_s: float = 0.0
    duration_s: float | None = None
    rate_rps: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """What is equal for all who compete on a trace.

    `profile` is a name or a file, `truth` names what step times are taken from (`perf.truth`), of the
    folder `data` where it is one of its tables; `digest` is of what both of them say. `least` and `most`
    bound the replicas of each role; `start_spread` is of each stage of a cold start, as in
    `ClusterFeatures`.
    """

    profile: str
    truth: str
    data: str
    digest: str
    ttft_s: float
    tpot_s: float
    attainment: float
    cold_start_s: float
    start_spread: float
    scrape_age_s: float
    interval_s: float
    drain_s: float
    least: int
    most: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One load under one set of conditions, with one seed: what all policies meet alike.

    The seed moves the phase of the trace, the shifts of its copies and the draws of cold starts.
    """

    load: Load
    conditions: Conditions
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One run: a case, and who decides.

    Attributes:
        policy: whose parameters are `parameters`; "schedule" follows `schedule` and sees nothing.
        start: (prefill, decode) that are Ready at the start; None sizes for the first minutes.

    """

    case: Case
    policy: str
    order: str
    parameters: tuple[tuple[str, float], ...] = ()
    start: tuple[int, int] | None = None
    schedule: Steps = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """Not a run but a look at a case: what comes, and the least that it needs."""

    case: Case


Task = Job | Survey
SCHEDULE = "schedule"
STATIC = "static"


def key(task: Task, source: str) -> str:
    """The name of a task's result, 64 hexadecimal digits."""
    said = {"kind": type(task).__name__, "task": asdict(_nameless(task)), "source": source}
    return sha256(json.dumps(said, sort_keys=True, allow_nan=False).encode()).hexdigest()


def fixed(case: Case, prefill: int, decode: int, order: str) -> Job:
    """A fleet that never moves."""
    return Job(case=case, policy=STATIC, order=order, start=(prefill, decode))


def scheduled(case: Case, steps: Steps, order: str) -> Job:
    """A fleet that follows a schedule, its first entry Ready at the start."""
    _, prefill, decode = steps[0]
    return Job(case=case, policy=SCHEDULE, order=order, start=(prefill, decode), schedule=steps)


def _nameless(task: Task) -> Task:
    """What a trace is called, and in which folder things lie, changes nothing."""
    load = replace(task.case.load, name="", path="")
    conditions = replace(task.case.conditions, profile="", truth="", data="")
    return replace(task, case=replace(task.case, load=load, conditions=conditions))
