"""A whole league: which searches run, in which order, and who knows what of whom.

First every policy's sweep and the best fixed fleet, all at once; then the oracle, which may replay what
the best of them asked for. What is done at any moment can be judged (`judge.outcome`), so a league that is
stopped loses nothing but what it did not come to.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from tandem.api.policy_names import QUEUE_ORDERS
from tandem.simulator.league.contest import Contest, Search
from tandem.simulator.league.entry import Entry
from tandem.simulator.league.job import STATIC, Case, Conditions, Job, Load, Steps, Survey
from tandem.simulator.league.oracle import Oracle
from tandem.simulator.league.play import Played, Surveyed
from tandem.simulator.league.static_best import EXPECTED_RUNS, StaticBest
from tandem.simulator.league.sweep import Sweep


@dataclass(frozen=True, slots=True, kw_only=True)
class League:
    """What is played: fields (a load under conditions), seeds, entries, and how hard is looked."""

    fields: tuple[tuple[Load, Conditions], ...]
    seeds: tuple[int, ...]
    entries: tuple[Entry, ...]
    points: int
    halvings: int
    effort: int

    @property
    def cases(self) -> list[Case]:
        """Every field with every seed."""
        pairs = product(self.fields, self.seeds)
        return [Case(load=load, conditions=of, seed=seed) for (load, of), seed in pairs]

    def play(self, contest: Contest) -> None:
        """Play it all; whatever stops it, `contest.done` holds what was done."""
        contest.play([*self._sweeps(), *self._static_bests(contest)])
        contest.play(self._oracles(contest))

    def _sweeps(self) -> Iterator[tuple[Search, int]]:
        for (load, conditions), entry in product(self.fields, self.entries):
            cases = [Case(load=load, conditions=conditions, seed=seed) for seed in self.seeds]
            sweep = Sweep(
                jobs=lambda value, entry=entry, cases=cases: [  # type: ignore[misc]
                    entry.job(case, value) for case in cases
                ],
                values=entry.values(self.points),
                bounds=entry.bounds if entry.parameter else (0.0, 0.0),
                target=conditions.attainment,
                halvings=self.halvings,
                default=entry.default,
            )
            yield sweep.search(), sweep.most

    def _static_bests(self, contest: Contest) -> Iterator[tuple[Search, int]]:
        for case in self.cases:
            yield _static_best(case, contest), EXPECTED_RUNS

    def _oracles(self, contest: Contest) -> Iterator[tuple[Search, int]]:
        for case in self.cases:
            seen = contest.done[Survey(case=case)]
            assert isinstance(seen, Surveyed), "a survey was asked for"
            runs = of_case(contest, case)
            oracle = Oracle(
                case=case,
                seen=seen,
                fixed=_fixed(runs, case) or seen.sized,
                others=_schedules(runs, case),
                effort=self.effort,
            )
            yield oracle.search(), self.effort


def of_case(contest: Contest, case: Case) -> dict[Job, Played]:
    """Every run of a case so far, in an order that does not hang on which ended first."""
    runs = [
        (job, run)
        for job, run in contest.done.items()
        if isinstance(job, Job) and isinstance(run, Played) and job.case == case
    ]
    return dict(sorted(runs, key=lambda pair: _place(pair[0])))


def _place(job: Job) -> tuple[object, ...]:
    return job.policy, job.order, job.parameters, job.start or (), job.schedule


def is_fixed(job: Job) -> bool:
    """Whether a run is one of a fixed pair, searched for in hindsight."""
    return job.policy == STATIC and job.start is not None


def _static_best(case: Case, contest: Contest) -> Search:
    survey = Survey(case=case)
    yield [survey]
    seen = contest.done[survey]
    assert isinstance(seen, Surveyed), "a survey was asked for"
    yield from StaticBest(case=case, order=QUEUE_ORDERS[0], guess=seen.sized).search()


def _fixed(runs: dict[Job, Played], case: Case) -> tuple[int, int] | None:
    """The cheapest fixed pair that met the target."""
    met = [job for job in _met(runs, case) if is_fixed(job)]
    return met[0].start if met else None


def _schedules(runs: dict[Job, Played], case: Case) -> list[Steps]:
    """What policies asked for in the runs that met the target, the cheapest of each policy first."""
    cheapest: dict[str, Steps] = {}
    for job in _met(runs, case):
        if not is_fixed(job):
            cheapest.setdefault(job.policy, runs[job].replicas)
    return list(cheapest.values())


def _met(runs: dict[Job, Played], case: Case) -> list[Job]:
    """Runs that met the target, the cheapest first."""
    met = [job for job, run in runs.items() if run.attainment >= case.conditions.attainment]
    return sorted(met, key=lambda job: runs[job].gpu_hours)
