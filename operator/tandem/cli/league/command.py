"""The command: options in; a table, JSON and a page out."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from tandem.api.policy_names import COMPARED_POLICY_NAMES
from tandem.cli import options, scenario_file
from tandem.perf.truth import NAMES as TRUTHS

_PROFILE = "a100-llama-3.1-70b-tp4"


def run(
    *,
    trace: Annotated[
        list[str] | None,
        typer.Option(help="A trace file, or the name of a built-in load; may be repeated."),
    ] = None,
    suite: Annotated[
        str | None,
        typer.Option(help="quick: an hour of every trace; full: up to six, which takes many."),
    ] = None,
    policy: Annotated[
        list[str] | None,
        typer.Option(help=f"Of {', '.join(COMPARED_POLICY_NAMES)}; all if none is given."),
    ] = None,
    routing: Annotated[
        list[str] | None,
        typer.Option(help="own: each with its source's queue order; tandem: with ours. Both."),
    ] = None,
    profile: Annotated[str, typer.Option(help="Engine profile, by name.")] = _PROFILE,
    truth: Annotated[
        str, typer.Option(help=f"Step times of simulated engines: {', '.join(TRUTHS)}, or a file.")
    ] = TRUTHS[0],
    ttft: Annotated[
        str | None,
        typer.Option(help="Target of the time to the first token; 2s, in a suite each load's own."),
    ] = None,
    tpot: Annotated[str, typer.Option(help="Target of the mean time per later token.")] = "50ms",
    attainment: Annotated[
        float, typer.Option(help="Share of arrivals that shall meet both targets.")
    ] = 0.99,
    cold_start: Annotated[
        list[str] | None, typer.Option(help="Asking to Ready; may be repeated. 100s.")
    ] = None,
    start_spread: Annotated[
        float, typer.Option(help="Variation of each stage of a cold start, drawn by the seed.")
    ] = 0.2,
    scrape_age: Annotated[
        str, typer.Option(help="Age of traffic figures when a policy sees them.")
    ] = "15s",
    interval: Annotated[str, typer.Option(help="Time between two looks of a policy.")] = "5s",
    drain: Annotated[
        str, typer.Option(help="What is in flight at a trace's end may go on so long.")
    ] = "10m",
    rate: Annotated[
        float | None, typer.Option(help="Requests per second: thins or superposes each trace.")
    ] = None,
    duration: Annotated[
        str | None, typer.Option(help="Only the first so much of each trace.")
    ] = None,
    seeds: Annotated[int | None, typer.Option(help="Replications; 1.")] = None,
    points: Annotated[
        int | None, typer.Option(help="Values of each policy's parameter; 1: its default alone; 3.")
    ] = None,
    oracle_effort: Annotated[
        int | None, typer.Option(help="Simulations that the oracle may take; 40.")
    ] = None,
    max_replicas: Annotated[int, typer.Option(help="Most pods of a role.")] = 64,
    jobs: Annotated[int | None, typer.Option(help="Processes; one a core if not given.")] = None,
    dask: Annotated[
        str | None, typer.Option(help="Address of a Dask scheduler whose workers play.")
    ] = None,
    store: Annotated[
        Path | None, typer.Option(help="Folder of results; ~/.cache/tandem/league.")
    ] = None,
    json_path: Annotated[
        Path | None, typer.Option("--json", help="Write the outcome as JSON.")
    ] = None,
    report: Annotated[Path | None, typer.Option(help="Write the outcome as an HTML page.")] = None,
    scenario: scenario_file.Option = None,  # noqa: ARG001 - stands in for flags before they are read
) -> int:
    """Play policies against each other on traces, and against floor, oracle and the best fixed fleet."""
    from tandem.cli.league import inputs, session, workers  # noqa: PLC0415 - planner, SciPy
    from tandem.simulator.league import entry  # noqa: PLC0415

    policies = policy or list(COMPARED_POLICY_NAMES)
    routings = routing or list(entry.ROUTINGS)
    loads = inputs.chosen(
        trace or (),
        suite,
        None if rate is None else options.positive("--rate", rate),
        None if duration is None else options.seconds("--duration", duration),
    )
    under = session.conditions(
        profile=profile,
        truth=truth,
        ttft=ttft or inputs.TTFT,
        tpot=tpot,
        attainment=attainment,
        start_spread=start_spread,
        scrape_age=scrape_age,
        interval=interval,
        drain=drain,
        most=max_replicas,
    )
    colds = cold_start or inputs.COLD_STARTS[suite or inputs.QUICK]
    looked = inputs.effort(suite, points, seeds, oracle_effort)
    fields = inputs.fields(loads, under, ttft, colds)
    league = inputs.league(fields, policies, routings, looked)
    asked = inputs.settings(league, under, policies, routings, suite or "")
    outputs = session.Outputs(
        options.writable("--json", json_path), options.writable("--report", report)
    )
    crew = workers.Crew(None if jobs is None else inputs.at_least("--jobs", jobs, 1), dask)
    return session.play(league, asked, outputs, store, crew, shown=sys.stderr.isatty())
