"""The command: options in, one report out."""

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tandem.api.policy_names import COMPARED_POLICY_NAMES, QUEUE_ORDERS
from tandem.api.role import Role
from tandem.cli import main, options, reachable, scenario_file
from tandem.cli.simulate import flags
from tandem.perf.truth import NAMES as TRUTHS
from tandem.planner.spec import FleetSpec, Slo
from tandem.simulator.features import ClusterFeatures, EngineFeatures, Handover
from tandem.simulator.scenario import CLOSED, KERNELS, Scenario
from tandem.traces.names import LOADS

if TYPE_CHECKING:
    from tandem.simulator.result import Result

# What needs NumPy or Rich is imported by who uses it: `--help` and a mistake do without.
_ORDERS = (*QUEUE_ORDERS, flags.ORDERED_BY_CLASS)
_Size = Annotated[int | None, typer.Option(help="Replicas at the start.")]
_Profile = Annotated[str | None, typer.Option(help="Of this role; --profile if not given.")]
_Low = Annotated[int | None, typer.Option(help="Fewest replicas; 1 if not given.")]
_High = Annotated[int | None, typer.Option(help="Most replicas; 64 if not given.")]


def run(
    *,
    profile: Annotated[str, typer.Option(help="Engine profile, by name.")],
    prefill_profile: _Profile = None,
    decode_profile: _Profile = None,
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
    ] = flags.STATIC,
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
        str, typer.Option(help=f"The router's queue: {', '.join(_ORDERS)}.")
    ] = QUEUE_ORDERS[0],
    priority: flags.Priority = None,
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
    push_layers: flags.PushLayers = 0,
    kv_lease: flags.KvLease = "30s",
    swap: flags.Swap = None,
    prefix_cache: flags.PrefixCache = None,
    deflect_chunk: flags.DeflectChunk = 0,
    migrate: flags.Migrate = False,
    encode: flags.EncodePods = None,
    encode_cost: flags.EncodeCost = None,
    pool: flags.Pools = None,
    pod_spread: flags.PodSpread = 0.0,
    prompt_spread: flags.PromptSpread = 0.0,
    start_spread: flags.StartSpread = 0.0,
    warm_start: flags.WarmStart = "5s",
    switch_time: flags.SwitchTime = None,
    node_accelerators: flags.NodeAccelerators = 8,
    missed_scrapes: flags.MissedScrapes = 0.0,
    fail: flags.Fail = None,
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
    from tandem.cli.simulate import features, inputs, table  # noqa: PLC0415

    options.one_of("--policy", policy, COMPARED_POLICY_NAMES)
    options.one_of("--order", order, _ORDERS)
    options.one_of("--kernel", kernel, list(KERNELS))
    options.writable("--report", page)
    options.writable("--timeline", timeline)
    said = {
        Role.PREFILL: inputs.Replicas(prefill, min_prefill, max_prefill),
        Role.DECODE: inputs.Replicas(decode, min_decode, max_decode),
    }
    base = inputs.profiles(profile, {Role.PREFILL: prefill_profile, Role.DECODE: decode_profile})
    roles, start = inputs.roles(said, base, cold_start, policy)
    others = features.pools(pool, truth, base)
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
        switch_s=inputs.switch_s(switch_time, base, others),
    )
    arrives = inputs.trace(trace, duration, rate, seed)
    scenario = Scenario(
        spec=spec,
        replicas=start,
        planner=inputs.planner(spec),
        order=order,
        scrape_age_s=inputs.no_less_than_zero("--scrape-age", scrape_age),
        drain_s=inputs.no_less_than_zero("--drain", drain),
        trace=arrives,
        seed=seed,
        kernel=kernel,
        times=inputs.times(truth, roles),
        handover=Handover(
            push_layers=features.whole("--push-layers", push_layers),
            lease_s=options.seconds("--kv-lease", kv_lease),
        ),
        engines=EngineFeatures(
            prefix_block_tokens=features.prefix_block_tokens(prefix_cache, arrives),
            swap_bytes_per_s=features.bytes_per_s("--swap", swap),
            deflect_chunk_tokens=features.whole("--deflect-chunk", deflect_chunk),
            migrate=migrate,
            pod_spread=options.not_negative("--pod-spread", pod_spread),
            prompt_spread=options.not_negative("--prompt-spread", prompt_spread),
        ),
        encode=features.encode(encode, encode_cost, arrives),
        cluster=ClusterFeatures(
            start_spread=options.not_negative("--start-spread", start_spread),
            warm_s=inputs.no_less_than_zero("--warm-start", warm_start),
            node_accelerators=features.node_accelerators(node_accelerators, base, others),
            missed_scrapes=features.share("--missed-scrapes", missed_scrapes),
            failures=features.failures(fail),
        ),
        pools=others,
        priorities=features.priorities(priority, order, arrives),
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


def _played(scenario: Scenario) -> "tuple[Result, dict[str, Any]]":
    from tandem.cli.simulate import interrupt, table  # noqa: PLC0415
    from tandem.simulator.report import report  # noqa: PLC0415
    from tandem.simulator.run import simulate  # noqa: PLC0415

    with table.progress(shown=sys.stderr.isatty()) as told, interrupt.noticed() as stop:
        began_s = time.perf_counter()
        result = simulate(scenario, told, stop)
        return result, report(result, time.perf_counter() - began_s)


def _write(result: "Result", page: Path | None, timeline: Path | None) -> None:
    """The files that were asked for; what draws them is imported only then."""
    if page is not None:
        from tandem.simulator.pages import run_page  # noqa: PLC0415

        run_page.write(page, result)
    if timeline is not None:
        from tandem.simulator import timeline as rows  # noqa: PLC0415

        rows.write(timeline, result)
