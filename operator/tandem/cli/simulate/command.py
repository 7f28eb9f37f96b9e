"""The command: options in, one report out."""

import json
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from tandem.api.policy_names import COMPARED_POLICY_NAMES, QUEUE_ORDERS
from tandem.api.role import Role
from tandem.cli import main, options, reachable, scenario_file
from tandem.cli.simulate import inputs, interrupt, table
from tandem.perf.library import profile as library_profile
from tandem.perf.truth import NAMES as TRUTHS
from tandem.planner.spec import FleetSpec, Slo
from tandem.simulator.report import report
from tandem.simulator.result import Result
from tandem.simulator.run import simulate
from tandem.simulator.scenario import CLOSED, KERNELS, Scenario
from tandem.traces.named import LOADS

_Size = Annotated[int | None, typer.Option(help="Replicas at the start.")]
_Low = Annotated[int | None, typer.Option(help="Fewest replicas; 1 if not given.")]
_High = Annotated[int | None, typer.Option(help="Most replicas; 64 if not given.")]


def run(
    *,
    profile: Annotated[str, typer.Option(help="Engine profile, by name.")],
    trace: Annotated[
        str | None,
        typer.Option(
            help="Azure CSV, JSONL, agent-session JSONL or Parquet, .gz too, or a built-in load:"
            f" {', '.join(LOADS)}; generated if not given."
        ),
    ] = None,
    prefill: _Size = None,
    decode: _Size = None,
    ttft: Annotated[str, typer.Option(help="Target of the time to the first token.")] = "2s",
    tpot: Annotated[str, typer.Option(help="Target of the mean time per later token.")] = "50ms",
    attainment: Annotated[
        float, typer.Option(help="Share of arrivals that shall meet both targets.")
    ] = 0.99,
    policy: Annotated[
        str, typer.Option(help=f"Who scales: {', '.join(COMPARED_POLICY_NAMES)}.")
    ] = inputs.STATIC,
    param: Annotated[
        list[str] | None, typer.Option(help="NAME=VALUE of the policy; may be repeated.")
    ] = None,
    min_prefill: _Low = None,
    max_prefill: _High = None,
    min_decode: _Low = None,
    max_decode: _High = None,
    cold_start: Annotated[
        str | None, typer.Option(help="Asking to Ready; the profile's if not given.")
    ] = None,
    scrape_age: Annotated[
        str, typer.Option(help="Age of traffic figures when the policy sees them.")
    ] = "0s",
    interval: Annotated[str, typer.Option(help="Time between two looks of the policy.")] = "5s",
    order: Annotated[
        str, typer.Option(help=f"The router's queue: {', '.join(QUEUE_ORDERS)}.")
    ] = QUEUE_ORDERS[0],
    rate: Annotated[
        float | None,
        typer.Option(help="Requests per second: thins the trace, or lays shifted copies over it."),
    ] = None,
    duration: Annotated[
        str | None, typer.Option(help="Only the first so much of the trace.")
    ] = None,
    drain: Annotated[
        str, typer.Option(help="What is in flight at the trace's end may go on so long.")
    ] = "10m",
    seed: Annotated[int, typer.Option(help="Of scaling or generating the trace.")] = 1,
    kernel: Annotated[
        str, typer.Option(help="closed, or exact with an event for every iteration.")
    ] = CLOSED,
    truth: Annotated[
        str, typer.Option(help=f"What iterations really take: {', '.join(TRUTHS)}, or a file.")
    ] = TRUTHS[0],
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    page: Annotated[
        Path | None, typer.Option("--report", help="Write the report as an HTML page too.")
    ] = None,
    timeline: Annotated[
        Path | None, typer.Option(help="Write pods and load over time as Parquet too.")
    ] = None,
    scenario_path: scenario_file.Option = None,  # noqa: ARG001 - stands in for flags before they are read
) -> None:
    """Replay a trace against a simulated fleet: the real planner and router, virtual time."""
    options.one_of("--policy", policy, COMPARED_POLICY_NAMES)
    options.one_of("--order", order, QUEUE_ORDERS)
    options.one_of("--kernel", kernel, list(KERNELS))
    options.writable("--report", page)
    options.writable("--timeline", timeline)
    said = {
        Role.PREFILL: inputs.Replicas(prefill, min_prefill, max_prefill),
        Role.DECODE: inputs.Replicas(decode, min_decode, max_decode),
    }
    roles, start = inputs.roles(said, library_profile(profile), cold_start, policy)
    spec = FleetSpec(
        slo=Slo(
            ttft_s=options.seconds("--ttft", ttft),
            tpot_s=options.seconds("--tpot", tpot),
            attainment=options.share("--attainment", attainment),
        ),
        roles=roles,
        policy=policy,
        parameters=options.parameters(param),
        interval_s=options.seconds("--interval", interval),
    )
    scenario = Scenario(
        spec=spec,
        replicas=start,
        planner=inputs.planner(spec),
        order=order,
        scrape_age_s=inputs.no_less_than_zero("--scrape-age", scrape_age),
        drain_s=inputs.no_less_than_zero("--drain", drain),
        trace=inputs.trace(trace, duration, rate, seed),
        seed=seed,
        kernel=kernel,
        times=inputs.times(truth, roles),
    )
    reachable.require(spec.slo, roles[Role.PREFILL].profile, scenario.trace.requests)
    result, figures = _played(scenario)
    try:
        _write(result, page, timeline)
    finally:  # a full disk loses the files, a closed pipe the text, never one the other
        if as_json:
            typer.echo(json.dumps(figures, indent=2, allow_nan=False))
        else:
            table.show(figures, spec.slo)
    if result.cut_s is not None:
        raise typer.Exit(main.INTERRUPTED)


def _played(scenario: Scenario) -> tuple[Result, dict[str, Any]]:
    with table.progress(shown=sys.stderr.isatty()) as told, interrupt.noticed() as stop:
        began_s = time.perf_counter()
        result = simulate(scenario, told, stop)
        return result, report(result, time.perf_counter() - began_s)


def _write(result: Result, page: Path | None, timeline: Path | None) -> None:
    """The files that were asked for; what draws them is imported only then."""
    if page is not None:
        from tandem.simulator.pages import run_page  # noqa: PLC0415

        run_page.write(page, result)
    if timeline is not None:
        from tandem.simulator import timeline as rows  # noqa: PLC0415

        rows.write(timeline, result)
