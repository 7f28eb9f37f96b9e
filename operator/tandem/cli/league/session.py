"""One league from its first run to its table: what is done is told, however it ends."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import typer

from tandem.api import duration
from tandem.cli import main, options
from tandem.cli.league import inputs, table, written
from tandem.cli.league.workers import Crew, workers
from tandem.simulator.league import fingerprint, fleet, judge
from tandem.simulator.league.contest import Contest
from tandem.simulator.league.job import Conditions
from tandem.simulator.league.league import League
from tandem.simulator.league.outcome import Outcome, Settings
from tandem.simulator.league.store import Store, default_folder


@dataclass(frozen=True, slots=True)
class Outputs:
    """Files that were asked for."""

    json: Path | None
    page: Path | None


def conditions(
    *,
    profile: str,
    truth: str,
    ttft: str,
    tpot: str,
    attainment: float,
    start_spread: float,
    scrape_age: str,
    interval: str,
    drain: str,
    most: int,
) -> Conditions:
    """What all policies meet alike, from the command line's words; cold starts differ by field."""
    data = options.data_folder()
    unnamed = Conditions(
        profile=_whole(profile),
        truth=_whole(truth),
        data=str(data.resolve()) if data else "",
        digest="",
        ttft_s=options.seconds("--ttft", ttft),
        tpot_s=options.seconds("--tpot", tpot),
        attainment=options.share("--attainment", attainment),
        cold_start_s=0.0,
        start_spread=options.not_negative("--start-spread", start_spread),
        scrape_age_s=duration.seconds(scrape_age, "--scrape-age"),
        interval_s=options.seconds("--interval", interval),
        drain_s=duration.seconds(drain, "--drain"),
        least=1,
        most=inputs.at_least("--max-replicas", most, 1),
    )
    return replace(unnamed, digest=fleet.digest(unnamed))


def _whole(text: str) -> str:
    """A file by its whole path, for whoever stands elsewhere; a name as it is."""
    return str(Path(text).resolve()) if Path(text).is_file() else text


def play(
    league: League,
    asked: Settings,
    outputs: Outputs,
    store: Path | None,
    crew: Crew,
    *,
    shown: bool,
) -> int:
    """Play it and tell what it came to; returns the exit code.

    Ctrl-C and a full disk end it early: the runs that are done are judged all the same, and are kept.
    """
    kept = Store(store or default_folder())
    with table.progress(shown=shown) as told:
        contest, why = _played(league, kept, crew, told)
    outcome = judge.outcome(league, contest, asked, inputs.versions(), complete=why is None)
    table.show(outcome)
    _write(outcome, outputs)
    if why is None:
        return 0
    typer.echo(f"{_told(why)}{len(contest.done)} results are kept in {kept.folder}", err=True)
    return main.INTERRUPTED if isinstance(why, KeyboardInterrupt) else main.FAILED


def _played(
    league: League,
    kept: Store,
    crew: Crew,
    told: Callable[[int, int], None],
) -> tuple[Contest, BaseException | None]:
    """The contest as far as it came, and what stopped it."""
    contest: Contest | None = None
    try:
        with workers(crew) as executor:
            contest = Contest(executor, kept, fingerprint.source(), told)
            league.play(contest)
    except (KeyboardInterrupt, OSError) as stop:
        if contest is None:
            raise
        return contest, stop
    return contest, None


def _write(outcome: Outcome, outputs: Outputs) -> None:
    if outputs.json is not None:
        written.write(outcome, outputs.json)
    if outputs.page is not None:
        from tandem.simulator.pages import league_page  # noqa: PLC0415 - charts, which few runs need

        league_page.write(outputs.page, outcome)


def _told(why: BaseException) -> str:
    if isinstance(why, OSError):
        return f"error: {why.filename or 'the machine'}: {why.strerror or why}; "
    return ""
