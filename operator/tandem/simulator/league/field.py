"""All that is known of one trace under one set of conditions: the ground on which it is judged."""

from collections.abc import Callable
from dataclasses import dataclass

from tandem.simulator.league.contest import Contest
from tandem.simulator.league.entry import Entry
from tandem.simulator.league.job import Case, Conditions, Job, Load, Survey
from tandem.simulator.league.league import League, of_case
from tandem.simulator.league.play import Played, Surveyed

Runs = dict[Job, Played]


@dataclass(frozen=True, slots=True)
class Field:
    """Its runs and its surveys, seed by seed."""

    load: Load
    conditions: Conditions
    runs: dict[Case, Runs]
    surveys: dict[Case, Surveyed]

    @property
    def name(self) -> str:
        """The name of its trace."""
        return self.load.name

    @property
    def target(self) -> float:
        """The asked attainment."""
        return self.conditions.attainment


def fields(league: League, contest: Contest) -> list[Field]:
    """Every field of a league, with what is done so far."""
    return [_field(league, contest, load, of) for load, of in league.fields]


def own(entry: Entry, runs: Runs) -> Runs:
    """An entry's own runs."""
    return {
        job: run
        for job, run in runs.items()
        if job.policy == entry.policy and job.order == entry.order and job.start is None
    }


def cheapest(
    runs: Runs, target: float, counts: Callable[[Job], bool] = lambda _: True
) -> tuple[Job, Played] | None:
    """The cheapest run that met the target."""
    met = [(job, run) for job, run in runs.items() if counts(job) and run.attainment >= target]
    return min(met, key=lambda pair: pair[1].gpu_hours, default=None)


def _field(league: League, contest: Contest, load: Load, conditions: Conditions) -> Field:
    cases = [Case(load=load, conditions=conditions, seed=seed) for seed in league.seeds]
    surveys = {case: contest.done.get(Survey(case=case)) for case in cases}
    return Field(
        load=load,
        conditions=conditions,
        runs={case: of_case(contest, case) for case in cases},
        surveys={case: seen for case, seen in surveys.items() if isinstance(seen, Surveyed)},
    )
