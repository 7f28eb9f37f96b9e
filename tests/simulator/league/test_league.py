"""Whole leagues of a minute or two, played in this process."""

from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
from tests.fakes.leagues import AtOnce, case, conditions

from tandem.simulator.league import arrivals, judge
from tandem.simulator.league.contest import Contest
from tandem.simulator.league.entry import Entry, entries
from tandem.simulator.league.job import Job, Load
from tandem.simulator.league.league import League, is_fixed
from tandem.simulator.league.outcome import Baseline, Frontier, Outcome, Settings
from tandem.simulator.league.store import Store

CALM = Load(name="calm", built_in="generated", duration_s=90.0, rate_rps=8.0)
SINE = Load(name="sine", built_in="sine-10528", start_s=100.0, duration_s=120.0, rate_rps=1.5)


def league(
    *loads: Load, policies: tuple[str, ...] = ("tandem", "hpa"), seeds: tuple[int, ...] = (1,)
) -> League:
    return League(
        fields=tuple((load, conditions(cold_start_s=20.0)) for load in loads),
        seeds=seeds,
        entries=tuple(entries(policies, ("own", "tandem"))),
        points=3,
        halvings=1,
        effort=16,
    )


def settings(of: League) -> Settings:
    under = of.fields[0][1]
    return Settings(
        traces=tuple(load.name for load, _ in of.fields),
        policies=("tandem", "hpa"),
        routings=("own", "tandem"),
        profile=under.profile,
        truth=under.truth,
        ttft_s=under.ttft_s,
        tpot_s=under.tpot_s,
        attainment=under.attainment,
        cold_starts_s=(under.cold_start_s,),
        start_spread=under.start_spread,
        scrape_age_s=under.scrape_age_s,
        interval_s=under.interval_s,
        drain_s=under.drain_s,
        seeds=of.seeds,
        points=of.points,
        bisections=of.halvings,
        oracle_effort=of.effort,
        suite="",
    )


def result(of: League, contest: Contest, *, complete: bool = True) -> Outcome:
    return judge.outcome(of, contest, settings(of), {"tandem": "0"}, complete=complete)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[League, Contest, Outcome]:
    of = league(CALM, SINE)
    folder = tmp_path_factory.mktemp("store")
    contest = Contest(AtOnce(), Store(folder), "source", lambda *_: None)
    of.play(contest)
    return of, contest, result(of, contest)


def base(baselines: tuple[Baseline, ...], name: str) -> float:
    hours = next(baseline.gpu_hours for baseline in baselines if baseline.trace == name)
    assert hours is not None
    return hours


def test_floor_below_oracle_below_every_policy_and_the_best_fixed_fleet(
    played: tuple[League, Contest, Outcome],
) -> None:
    _, _, outcome = played

    for trace in ("calm", "sine"):
        floor, oracle = base(outcome.floor, trace), base(outcome.oracle, trace)
        reached = [
            frontier.gpu_hours_at_target or 0.0
            for frontier in outcome.frontiers
            if frontier.trace == trace and frontier.gpu_hours_at_target is not None
        ]
        assert 0 < floor <= oracle <= base(outcome.static_best, trace)
        assert reached
        assert all(oracle <= hours for hours in reached)


def test_every_run_that_met_the_target_cost_the_floor_or_more(
    played: tuple[League, Contest, Outcome],
) -> None:
    _, contest, outcome = played
    floors = {trace: base(outcome.floor, trace) for trace in ("calm", "sine")}

    runs = [(job, run) for job, run in contest.done.items() if isinstance(job, Job)]
    met = [(job, run) for job, run in runs if getattr(run, "attainment", 0.0) >= 0.95]
    assert len(met) > 20
    assert all(getattr(run, "gpu_hours", 0.0) >= floors[job.case.load.name] for job, run in met)


def test_rows_and_frontiers_of_every_entry(played: tuple[League, Contest, Outcome]) -> None:
    _, _, outcome = played

    assert {(f.policy, f.routing, f.order) for f in outcome.frontiers} == {
        ("tandem", "own", "feasible-first"),
        ("hpa", "own", "fcfs"),
        ("hpa", "tandem", "feasible-first"),
    }
    assert all(frontier.default is not None for frontier in outcome.frontiers)
    untuned = [row for row in outcome.rows if row.is_default]
    assert len(untuned) == len(outcome.frontiers)
    assert {row.parameter for row in untuned if row.policy == "hpa"} == {0.7}
    assert all(len(f.points) >= 3 for f in outcome.frontiers)


def test_regret_is_over_the_baseline(played: tuple[League, Contest, Outcome]) -> None:
    _, _, outcome = played

    for frontier in outcome.frontiers:
        if frontier.gpu_hours_at_target is not None:
            oracle = base(outcome.oracle, frontier.trace)
            regret = frontier.gpu_hours_at_target / oracle - 1
            assert regret >= 0
            assert frontier.regret.oracle == pytest.approx(regret)


def test_all_policies_start_from_the_same_fleet(played: tuple[League, Contest, Outcome]) -> None:
    _, contest, outcome = played
    starts = {load.trace: load.start for load in outcome.loads}

    policies = [(job, run) for job, run in contest.done.items() if isinstance(job, Job)]
    for job, run in policies:
        if job.policy != "schedule" and not is_fixed(job):
            assert getattr(run, "replicas", ((), ()))[0][1:] == starts[job.case.load.name]


def test_tracks_show_default_tuned_and_baselines(played: tuple[League, Contest, Outcome]) -> None:
    _, _, outcome = played

    calm = [(track.who, track.kind) for track in outcome.tracks if track.trace == "calm"]
    assert ("oracle", "baseline") in calm
    assert ("static_best", "baseline") in calm
    assert ("hpa", "default") in calm
    assert ("tandem", "tuned") in calm
    assert all(sum(track.minutes.arrivals) > 0 for track in outcome.tracks)


def test_played_again_from_its_store_nothing_is_simulated(
    played: tuple[League, Contest, Outcome],
) -> None:
    of, contest, outcome = played
    executor = AtOnce()
    again = Contest(executor, contest.store, "source", lambda *_: None)

    of.play(again)

    assert executor.asked == []
    assert result(of, again) == outcome


def test_a_stopped_league_is_judged_by_what_is_done(tmp_path: Path) -> None:
    of = league(CALM)
    count = 0

    def stop(_: object) -> None:
        nonlocal count
        count += 1
        if count > 6:
            raise KeyboardInterrupt

    contest = Contest(AtOnce(stop), Store(tmp_path), "source", lambda *_: None)
    with pytest.raises(KeyboardInterrupt):
        of.play(contest)
    outcome = result(of, contest, complete=False)

    assert 0 < len(outcome.rows) <= 6
    assert outcome.frontiers
    assert not outcome.complete


def test_nothing_done_is_an_outcome_too(tmp_path: Path) -> None:
    of = league(CALM)
    outcome = result(of, Contest(AtOnce(), Store(tmp_path), "s", lambda *_: None), complete=False)

    assert not outcome.rows
    assert not outcome.frontiers
    assert outcome.oracle[0].gpu_hours is None


def test_seeds_are_averaged_with_an_interval(tmp_path: Path) -> None:
    of = replace(league(CALM, policies=("static",), seeds=(1, 2, 3)), effort=4)
    contest = Contest(AtOnce(), Store(tmp_path), "source", lambda *_: None)
    of.play(contest)
    outcome = result(of, contest)

    frontier: Frontier = outcome.frontiers[0]
    rows = [row for row in outcome.rows if row.routing == frontier.routing]
    hours = [row.gpu_hours for row in rows]
    assert sorted(row.seed for row in rows) == [1, 2, 3]
    assert frontier.default is not None
    assert frontier.default.gpu_hours == pytest.approx(sum(hours) / 3)
    assert outcome.static_best[0].ci95 is not None


def test_the_seed_is_the_same_for_all_policies_and_moves_what_comes() -> None:
    entry = Entry("hpa", "own", "fcfs")
    cases = [case(seed=seed) for seed in (1, 2)]

    jobs = [entry.job(of, value) for of in cases for value in (None, 0.5)]
    assert {job.case for job in jobs} == set(cases)
    assert entry.job(cases[0], 0.7) == entry.job(cases[0], None)  # the default's own value


def test_another_seed_brings_the_same_requests_of_a_file_at_other_times(tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    rows = (
        f'{{"timestamp": {i * i * 100}, "input_length": {i + 1}, "output_length": 5}}'
        for i in range(40)
    )
    path.write_text("\n".join(rows))
    load = Load(name="file", path=str(path), digest=sha256(path.read_bytes()).hexdigest())

    first, second = arrivals.trace(load, 1), arrivals.trace(load, 2)
    assert sorted(r.input_tokens for r in first.requests) == sorted(
        r.input_tokens for r in second.requests
    )
    assert [r.input_tokens for r in first.requests] != [r.input_tokens for r in second.requests]
    assert first.duration_s == second.duration_s
    assert arrivals.trace(load, 2) == second
