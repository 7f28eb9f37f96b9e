"""From runs to an outcome: frontiers, baselines, regret, and the runs worth showing over time.

Every figure of a trace is computed seed by seed and averaged, a figure that is unknown for one seed is
unknown. The oracle's is the least that anybody came to, whoever decided: what any policy reached a
clairvoyant could have done.
"""

from collections.abc import Callable, Iterable, Sequence

from tandem.simulator.league import confidence
from tandem.simulator.league.confidence import Interval
from tandem.simulator.league.contest import Contest
from tandem.simulator.league.entry import Entry
from tandem.simulator.league.field import Field, Runs, cheapest, fields, own
from tandem.simulator.league.frontier import Outlay, at_target
from tandem.simulator.league.job import SCHEDULE, Job
from tandem.simulator.league.league import League, is_fixed
from tandem.simulator.league.outcome import (
    Baseline,
    Frontier,
    Outcome,
    Point,
    Regret,
    Row,
    Settings,
)
from tandem.simulator.league.play import Played
from tandem.simulator.league.tracks import facts, tracks

Counts = Callable[[int], bool]
_BASES = ("floor", "oracle", "static_best")


def outcome(
    league: League,
    contest: Contest,
    settings: Settings,
    versions: dict[str, str],
    *,
    complete: bool,
) -> Outcome:
    """What the runs that are done come to."""
    grounds = fields(league, contest)
    floors, oracles, fixed = zip(
        *(baselines(field, league.entries) for field in grounds), strict=True
    )
    return Outcome(
        settings=settings,
        versions=versions,
        loads=tuple(facts(field) for field in grounds if field.surveys),
        rows=tuple(row for field in grounds for row in _rows(field, league.entries)),
        frontiers=tuple(each for field in grounds for each in frontiers(field, league.entries)),
        floor=floors,
        oracle=oracles,
        static_best=fixed,
        tracks=tuple(track for field in grounds for track in tracks(field, league.entries)),
        complete=complete,
    )


def frontiers(field: Field, entries: Sequence[Entry]) -> list[Frontier]:
    """Every entry's frontier on a field, as far as it was played."""
    bases = baselines(field, entries)
    return [each for entry in entries for each in _frontier(field, entry, bases)]


def baselines(field: Field, entries: Sequence[Entry]) -> tuple[Baseline, Baseline, Baseline]:
    """(floor, oracle, static_best) of a field."""
    return _floor(field), _oracle(field, entries), _static(field)


# -- policies --------------------------------------------------------------------------------------


def _rows(field: Field, entries: Iterable[Entry]) -> list[Row]:
    return [
        _row(job, run, entry, field)
        for entry in entries
        for runs in field.runs.values()
        for job, run in own(entry, runs).items()
    ]


def _row(job: Job, run: Played, entry: Entry, field: Field) -> Row:
    return Row(
        policy=entry.policy,
        parameter=entry.value(job),
        trace=field.name,
        seed=job.case.seed,
        routing=entry.routing,
        order=entry.order,
        is_default=not job.parameters,
        attainment=run.attainment,
        gpu_hours=run.gpu_hours,
        cost=run.cost,
        ttft_s=run.ttft_s,
        tpot_s=run.tpot_s,
        goodput_rps=run.goodput_rps,
        smooth_goodput=run.smooth_goodput,
        switches=run.switches,
        starts=run.starts,
    )


def _frontier(field: Field, entry: Entry, bases: Sequence[Baseline]) -> list[Frontier]:
    """The entry's frontier; none before its first run."""
    by_seed = [own(entry, runs) for runs in field.runs.values()]
    points = _points(entry, by_seed)
    if not points:
        return []
    figures = [at_target(map(_outlay, runs.values()), field.target) for runs in by_seed]
    hours = _mean(figures)
    default = next((point for point, is_default in points if is_default), None)
    return [
        Frontier(
            policy=entry.policy,
            trace=field.name,
            routing=entry.routing,
            order=entry.order,
            parameter=entry.parameter,
            points=tuple(sorted((p for p, _ in points), key=lambda p: p.attainment)),
            gpu_hours_at_target=hours,
            ci95=_interval(figures, by_seed, field.target),
            attainment_reached=max(point.attainment for point, _ in points),
            default=default,
            regret=Regret(
                **{name: _over(hours, base) for name, base in zip(_BASES, bases, strict=True)}
            ),
        )
    ]


def _points(entry: Entry, by_seed: Sequence[Runs]) -> list[tuple[Point, bool]]:
    """Means over seeds of every value that all seeds were played with, and whether it is the default."""
    values: dict[tuple[tuple[str, float], ...], list[Played]] = {}
    for runs in by_seed:
        for job, run in runs.items():
            values.setdefault(job.parameters, []).append(run)
    whole = {given: runs for given, runs in values.items() if len(runs) == len(by_seed)}
    return [
        (
            Point(
                parameter=dict(given).get(entry.parameter, entry.default),
                attainment=sum(run.attainment for run in runs) / len(runs),
                gpu_hours=sum(run.gpu_hours for run in runs) / len(runs),
            ),
            not given,
        )
        for given, runs in whole.items()
    ]


def _over(hours: float | None, base: Baseline) -> float | None:
    if hours is None or not base.gpu_hours:
        return None
    return hours / base.gpu_hours - 1


# -- baselines -------------------------------------------------------------------------------------


def _floor(field: Field) -> Baseline:
    return _baseline(
        field, [seen.floor_gpu_hours for seen in field.surveys.values()], "conserved work"
    )


def _static(field: Field) -> Baseline:
    best = [cheapest(runs, field.target, is_fixed) for runs in field.runs.values()]
    pairs = (" + ".join(map(str, job.start)) for job, _ in filter(None, best) if job.start)
    figures = [run.gpu_hours for _, run in filter(None, best)]
    return _baseline(field, figures, "prefill + decode: " + ", ".join(pairs))


def _oracle(field: Field, entries: Iterable[Entry]) -> Baseline:
    """The least of what its own schedules, each entry and fixed pairs came to."""
    figures = [_least(runs, entries, field.target) for runs in field.runs.values()]
    played = sum(job.policy == SCHEDULE for runs in field.runs.values() for job in runs)
    known = [figure for figure in figures if figure is not None]
    return _baseline(field, known, f"{played} schedules played")


def _least(runs: Runs, entries: Iterable[Entry], target: float) -> float | None:
    groups = [own(entry, runs) for entry in entries]
    groups.append({job: run for job, run in runs.items() if job.policy == SCHEDULE})
    figures = [at_target(map(_outlay, group.values()), target) for group in groups]
    fixed = cheapest(runs, target, is_fixed)
    figures.append(fixed[1].gpu_hours if fixed else None)
    return min((figure for figure in figures if figure is not None), default=None)


def _baseline(field: Field, figures: Sequence[float], detail: str) -> Baseline:
    """The mean over the seeds; unknown as long as one seed's is."""
    known = len(figures) == len(field.runs)
    return Baseline(
        trace=field.name,
        gpu_hours=_mean(figures) if known else None,
        ci95=confidence.by_replication(figures) if known else None,
        detail=detail,
    )


# -- figures ---------------------------------------------------------------------------------------


def _interval(
    figures: Sequence[float | None], by_seed: Sequence[Runs], target: float
) -> Interval | None:
    if len(by_seed) > 1:
        return confidence.by_replication(figures)
    runs = list(by_seed[0].values())
    minutes = max(len(run.came) for run in runs)

    def figure(counts: Counts) -> float | None:
        return at_target([_outlay(run, counts) for run in runs], target)

    return confidence.by_batches(figure, minutes)


def _outlay(run: Played, counts: Counts | None = None) -> Outlay:
    """A run as a point; over the minutes that count, its GPU-hours led back to the whole length."""
    if counts is None:
        return Outlay(run.attainment, run.gpu_hours, 0.5 / run.arrivals)
    came = sum(count for minute, count in enumerate(run.came) if counts(minute))
    missed = sum(
        count for of in run.misses.values() for minute, count in enumerate(of) if counts(minute)
    )
    share = sum(pods for minute, pods in enumerate(run.pods) if counts(minute)) / sum(run.pods)
    kept = sum(map(counts, range(len(run.pods)))) / len(run.pods)
    return Outlay(1 - missed / max(came, 1), run.gpu_hours * share / kept, 0.5 / max(came, 1))


def _mean(figures: Sequence[float | None]) -> float | None:
    known = [figure for figure in figures if figure is not None]
    return sum(known) / len(known) if known and len(known) == len(figures) else None
