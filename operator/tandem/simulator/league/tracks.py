"""What a league's page shows besides figures: what each load is, and single runs over time."""

from collections.abc import Iterable, Iterator

from tandem.simulator.league.entry import Entry
from tandem.simulator.league.field import Field, Runs, cheapest, own
from tandem.simulator.league.job import Job
from tandem.simulator.league.league import is_fixed
from tandem.simulator.league.outcome import LoadFacts, Minutes, Track


def facts(field: Field) -> LoadFacts:
    """What a trace is, of its first seed."""
    seen = next(iter(field.surveys.values()))
    return LoadFacts(
        trace=field.name,
        source=field.load.path.rpartition("/")[2] or "built in",
        requests=seen.requests,
        duration_s=seen.duration_s,
        rate_rps=seen.requests / seen.duration_s if seen.duration_s else 0.0,
        mean_input_tokens=seen.mean_input_tokens,
        mean_output_tokens=seen.mean_output_tokens,
        cold_start_s=field.conditions.cold_start_s,
        ttft_s=field.conditions.ttft_s,
        start=seen.start,
    )


def tracks(field: Field, entries: Iterable[Entry]) -> Iterator[Track]:
    """Of the first seed: each entry untuned and at its best, the oracle, and the best fixed pair."""
    runs = next(iter(field.runs.values()))
    for entry in entries:
        of = own(entry, runs)
        untuned = {job: run for job, run in of.items() if not job.parameters}
        for kind, job in (("default", _best(untuned, field)), ("tuned", _best(of, field))):
            if job is not None:
                yield _track(entry.policy, kind, field, job, entry)
    met = {job: run for job, run in runs.items() if run.attainment >= field.target}
    fixed = {job: run for job, run in met.items() if is_fixed(job)}
    for who, of in (("oracle", met), ("static_best", fixed)):
        job = _best(of, field)
        if job is not None:
            yield _track(who, "baseline", field, job)


def _best(runs: Runs, field: Field) -> Job | None:
    """The cheapest run that met the target, else the best attaining; none of none."""
    met = cheapest(runs, field.target)
    if met is not None:
        return met[0]
    return max(runs, key=lambda job: runs[job].attainment, default=None)


def _track(who: str, kind: str, field: Field, job: Job, entry: Entry | None = None) -> Track:
    run = field.runs[job.case][job]
    return Track(
        who=who,
        kind=kind,
        trace=field.name,
        routing=entry.routing if entry else "",
        parameter=entry.value(job) if entry else None,
        seed=job.case.seed,
        attainment=run.attainment,
        gpu_hours=run.gpu_hours,
        replicas=run.replicas,
        duration_s=run.duration_s,
        minutes=Minutes(arrivals=run.came, misses=run.misses),
    )
