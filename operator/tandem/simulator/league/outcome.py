"""What a league came to: all that its table, its JSON and its page show.

Plain frozen values, built by `league.judge` from the runs that are done, so that a league that was
stopped half-way has an outcome too (`complete` is False then). Everything is keyed by `trace`, the name
of a load; with several cold starts the name ends with the cold start ("azure-conv, 30 s").
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One run. `ttft_s` and `tpot_s` are P99s over finished requests, None where there are none.

    Attributes:
        parameter: value of the policy's aggressiveness parameter; None where it has none.
        is_default: whether the policy ran as a user gets it, with no parameter set.
        goodput_rps: requests that met both targets, per second of the trace.
        smooth_goodput: tokens per second that came when a reader wanted them (`league.smooth`).
        switches: pods that changed their role.
        starts: pods that were started.

    """

    policy: str
    parameter: float | None
    trace: str
    seed: int
    routing: str  # "own" or "tandem": whose queue order
    order: str  # that order's name
    is_default: bool
    attainment: float
    gpu_hours: float
    cost: float
    ttft_s: float | None
    tpot_s: float | None
    goodput_rps: float
    smooth_goodput: float
    switches: int
    starts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A parameter's mean over the seeds: one point of a frontier. None: the policy's default as it is."""

    parameter: float | None
    attainment: float
    gpu_hours: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Regret:
    """GPU-hours over those of a baseline, as a share (0.1 is 10 % more); None where either is unknown."""

    floor: float | None
    oracle: float | None
    static_best: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Frontier:
    """One policy on one trace with one queue order.

    Attributes:
        parameter: name of the aggressiveness parameter, "" where the policy has none.
        points: every parameter that was played, by attainment.
        gpu_hours_at_target: interpolated at the asked attainment; None where it was never reached.
        ci95: (low, high) of that figure; None where it can't be told (`league.confidence`).
        attainment_reached: the best that any parameter reached.
        default: what the untuned policy reaches; None where it has not been played yet.
        regret: of `gpu_hours_at_target`.

    """

    policy: str
    trace: str
    routing: str
    order: str
    parameter: str
    points: tuple[Point, ...]
    gpu_hours_at_target: float | None
    ci95: tuple[float, float] | None
    attainment_reached: float
    default: Point | None
    regret: Regret


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """`floor`, `oracle` or `static_best` on one trace: means over the seeds; None where not reached."""

    trace: str
    gpu_hours: float | None
    ci95: tuple[float, float] | None
    detail: str  # for a person: "5 prefill + 7 decode", "from static_best, 34 simulations"


@dataclass(frozen=True, slots=True, kw_only=True)
class Minutes:
    """By minute of arrival: requests that came, and misses by main reason (`pages.verdicts.REASONS`)."""

    arrivals: tuple[int, ...]
    misses: Mapping[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """One run over time, for the page.

    Attributes:
        who: a policy's name, "oracle" or "static_best".
        kind: "default" (untuned), "tuned" (the cheapest run that met the target, else the best attaining)
            or "baseline".
        replicas: (time s, prefill, decode) that were asked for, from each time on.

    """

    who: str
    kind: str
    trace: str
    routing: str
    parameter: float | None
    seed: int
    attainment: float
    gpu_hours: float
    replicas: tuple[tuple[float, int, int], ...]
    duration_s: float
    minutes: Minutes


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadFacts:
    """What a trace is, for whoever reads the page."""

    trace: str
    source: str  # file name, or "built in"
    requests: int  # of the first seed
    duration_s: float
    rate_rps: float
    mean_input_tokens: float
    mean_output_tokens: float
    cold_start_s: float
    ttft_s: float  # its own, where a suite's differ
    start: tuple[int, int]  # (prefill, decode) that every policy starts from, of the first seed


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What was asked."""

    traces: tuple[str, ...]
    policies: tuple[str, ...]
    routings: tuple[str, ...]
    profile: str
    truth: str
    ttft_s: float
    tpot_s: float
    attainment: float
    cold_starts_s: tuple[float, ...]
    start_spread: float
    scrape_age_s: float
    interval_s: float
    drain_s: float
    seeds: tuple[int, ...]
    points: int
    bisections: int
    oracle_effort: int
    suite: str  # "" where traces were named one by one


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A whole league; `versions` names tandem, python, numpy and the digest of what was run."""

    settings: Settings
    versions: Mapping[str, str]
    loads: tuple[LoadFacts, ...]
    rows: tuple[Row, ...]
    frontiers: tuple[Frontier, ...]
    floor: tuple[Baseline, ...]
    oracle: tuple[Baseline, ...]
    static_best: tuple[Baseline, ...]
    tracks: tuple[Track, ...]
    complete: bool
