"""Builds a league's outcome with figures that a person can check on its page."""

from dataclasses import replace

from tandem.simulator.league.outcome import (
    Baseline,
    Frontier,
    LoadFacts,
    Minutes,
    Outcome,
    Point,
    Regret,
    Settings,
    Track,
)

TARGET = 0.99
TRACES = ("azure-conv", "sine")
_HOUR_S = 3600.0
_ORACLE = 10.0
# policy, routing: GPU-hours at the target (None: never reached), parameters with (attainment, GPU-hours)
_PLAYED = {
    ("tandem", "tandem"): (11.7, [(0.9, 9.8), (0.97, 10.6), (0.99, 11.7), (0.9993, 14.2)]),
    ("hpa", "own"): (15.2, [(0.82, 10.4), (0.95, 12.9), (0.991, 15.4), (0.998, 19.0)]),
    ("hpa", "tandem"): (14.1, [(0.86, 10.4), (0.96, 12.4), (0.992, 14.4), (0.9985, 18.6)]),
    ("dynamo-sla", "own"): (None, [(0.61, 9.1), (0.80, 13.0), (0.943, 17.5)]),
}


def outcome(*, traces: tuple[str, ...] = TRACES, complete: bool = True) -> Outcome:
    """Three policies, one of them with two queue orders."""
    return Outcome(
        settings=_settings(traces),
        versions={"tandem": "0.1.0", "python": "3.11.2", "numpy": "2.4.1", "digest": "0badcafe"},
        loads=tuple(_load(trace) for trace in traces),
        rows=(),
        frontiers=tuple(_frontier(*who, trace) for trace in traces for who in _PLAYED),
        floor=tuple(Baseline(trace=t, gpu_hours=6.1, ci95=None, detail="") for t in traces),
        oracle=tuple(
            Baseline(trace=t, gpu_hours=_ORACLE, ci95=(9.8, 10.2), detail="34 simulations")
            for t in traces
        ),
        static_best=tuple(
            Baseline(trace=t, gpu_hours=13.0, ci95=(12.5, 13.4), detail="5 prefill + 8 decode")
            for t in traces
        ),
        tracks=tuple(track for trace in traces for track in _tracks(trace)),
        complete=complete,
    )


def _settings(traces: tuple[str, ...]) -> Settings:
    return Settings(
        traces=traces,
        policies=("tandem", "hpa", "dynamo-sla"),
        routings=("own", "tandem"),
        profile="h200-llama-3.1-8b-tp1",
        truth="table",
        ttft_s=2.0,
        tpot_s=0.05,
        attainment=TARGET,
        cold_starts_s=(100.0,),
        start_spread=0.2,
        scrape_age_s=15.0,
        interval_s=5.0,
        drain_s=600.0,
        seeds=(1, 2, 3),
        points=4,
        bisections=2,
        oracle_effort=40,
        suite="quick",
    )


def _load(trace: str) -> LoadFacts:
    return LoadFacts(
        trace=trace,
        source=f"{trace}.csv.gz",
        requests=19_366,
        duration_s=_HOUR_S,
        rate_rps=5.38,
        mean_input_tokens=1155.0,
        mean_output_tokens=211.0,
        cold_start_s=100.0,
        ttft_s=2.0,
        start=(3, 4),
    )


def _frontier(policy: str, routing: str, trace: str) -> Frontier:
    hours, played = _PLAYED[policy, routing]
    over = (
        None
        if hours is None
        else Regret(floor=hours / 6.1 - 1, oracle=hours / _ORACLE - 1, static_best=hours / 13.0 - 1)
    )
    points = tuple(
        Point(parameter=1.0 + number / 10, attainment=attainment, gpu_hours=used)
        for number, (attainment, used) in enumerate(played)
    )
    return Frontier(
        policy=policy,
        trace=trace,
        routing=routing,
        order="feasible-first" if routing == "tandem" else "fcfs",
        parameter="headroom",
        points=points,
        gpu_hours_at_target=hours,
        ci95=None if hours is None else (hours - 0.3, hours + 0.3),
        attainment_reached=max(point.attainment for point in points),
        default=replace(points[1], parameter=None),
        regret=over or Regret(floor=None, oracle=None, static_best=None),
    )


def _tracks(trace: str) -> list[Track]:
    calm = tuple(300 + 40 * (minute % 7) for minute in range(60))
    missed = {
        "prefill queue": tuple(90 if m == 12 else 0 for m in range(60)),
        "decode TPOT": tuple(25 if m in {12, 40} else 0 for m in range(60)),
    }
    steps = tuple((600.0 * k, 3 + (k * 2) % 4, 4 + (k * 3) % 5) for k in range(6))
    ahead = tuple(
        (max(0.0, 600.0 * k - 100.0), p - (k > 0), d - (k > 1)) for k, (_, p, d) in enumerate(steps)
    )

    def track(
        who: str,
        kind: str,
        routing: str,
        replicas: tuple[tuple[float, int, int], ...],
        hours: float,
    ) -> Track:
        return Track(
            who=who,
            kind=kind,
            trace=trace,
            routing=routing,
            parameter=None,
            seed=1,
            attainment=0.991,
            gpu_hours=hours,
            replicas=replicas,
            duration_s=_HOUR_S,
            minutes=Minutes(arrivals=calm, misses=missed),
        )

    return [
        track("tandem", "tuned", "tandem", steps, 11.8),
        track("hpa", "tuned", "own", steps[:3], 15.4),
        track("oracle", "baseline", "tandem", ahead, _ORACLE),
    ]
