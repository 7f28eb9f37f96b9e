"""The command: a load and an SLO in, a pair of replicas and its reasons out."""

import json
from pathlib import Path
from types import MappingProxyType
from typing import Annotated

import typer

from tandem.api.role import Role
from tandem.cli import options
from tandem.cli.plan import answer, by_policy, domains, load, mixture, search
from tandem.planner.check import check, check_slo
from tandem.planner.sizing import LARGEST, size
from tandem.planner.spec import Budget, FleetSpec, RatioBounds, RoleSpec, Slo

_Fewest = Annotated[int, typer.Option(help="Fewest replicas.")]
_Most = Annotated[int, typer.Option(help="Most replicas.")]
_Ratio = Annotated[str | None, typer.Option(help="Prefill to decode replicas, such as 1:6.")]


def run(
    *,
    profile: Annotated[
        str | None, typer.Option(help="Engine profile of both roles, by name.")
    ] = None,
    policy: Annotated[
        str, typer.Option(help="Whose rule decides (tandem policies lists them).")
    ] = by_policy.TANDEM,
    param: Annotated[
        list[str] | None, typer.Option(help="A parameter of the policy, NAME=VALUE; repeatable.")
    ] = None,
    rate: Annotated[
        float | None, typer.Option(help="Requests a second; the trace's mean if not given.")
    ] = None,
    isl: Annotated[
        float | None, typer.Option(help="Input tokens of a request, on average.")
    ] = None,
    osl: Annotated[
        float | None, typer.Option(help="Output tokens of a request, on average.")
    ] = None,
    isl_cv: Annotated[
        float, typer.Option(help="Variation of input lengths, lognormal; 0: all alike.")
    ] = 0.0,
    osl_cv: Annotated[
        float, typer.Option(help="Variation of output lengths, lognormal; 0: all alike.")
    ] = 0.0,
    arrival_cv: Annotated[
        float | None,
        typer.Option(help="Variation of the gaps between arrivals; 1 (Poisson), or the trace's."),
    ] = None,
    trace: Annotated[
        Path | None, typer.Option(help="Take lengths (and rate) from a trace file of any format.")
    ] = None,
    ttft_tier: mixture.Tiers = None,
    request_class: mixture.Classes = None,
    pool: mixture.Pools = None,
    ttft: Annotated[str, typer.Option(help="Target of the time to the first token.")] = "1s",
    tpot: Annotated[str, typer.Option(help="Target of the mean time per later token.")] = "50ms",
    attainment: Annotated[
        float, typer.Option(help="Share of requests that shall meet both targets.")
    ] = 0.99,
    min_prefill: _Fewest = 1,
    max_prefill: _Most = LARGEST,
    min_decode: _Fewest = 1,
    max_decode: _Most = LARGEST,
    ratio_min: _Ratio = None,
    ratio_max: _Ratio = None,
    budget_accelerators: Annotated[
        int | None, typer.Option(help="Most accelerators, all replicas together.")
    ] = None,
    budget_cost: Annotated[
        float | None, typer.Option(help="Most money an hour, all replicas together.")
    ] = None,
    domain: domains.Domains = None,
    find: Annotated[
        bool,
        typer.Option(
            "--search",
            help="Find the best engines and ratio for a --model and that many accelerators.",
        ),
    ] = False,
    model: Annotated[
        str | None, typer.Option(help="The model to --search for, by its whole or last name.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")] = False,
) -> None:
    """Size prefill and decode for a load and an SLO.

    Lengths given as means alone are taken as constant and arrivals as Poisson; --isl-cv, --osl-cv and
    --arrival-cv, or a --trace, tell how they vary: tails cost replicas.

    The rule of another --policy, made for a fleet that runs, answers with what it settles on at that load.

    A --pool lets a role mix accelerators, a --class and a --ttft-tier have targets of their own: each class
    must meet its own, and replicas come from the pools that make it cheapest. Where KV is handed over only
    within a --domain, the answer tells how many replicas of each role lie in which.

    With --search: tensor parallelism of each role and replicas that serve the highest rate with
    --budget-accelerators, or the fewest that serve --rate; over the built-in profiles and the tables in
    $TANDEM_DATA/profiles.
    """
    slo = Slo(
        ttft_s=options.seconds("--ttft", ttft),
        tpot_s=options.seconds("--tpot", tpot),
        attainment=options.share("--attainment", attainment),
        tiers=mixture.tiers(ttft_tier),
    )
    asked = mixture.classes(request_class, slo)
    if policy != by_policy.TANDEM or param or find:
        whose = "--search" if find else policy
        mixture.only_for_tandem(
            whose, ttft_tier=ttft_tier, **{"class": request_class}, pool=pool, domain=domain
        )
    lengths = load.Lengths(input_tokens=isl, output_tokens=osl, input_cv=isl_cv, output_cv=osl_cv)
    if find:
        search.only(profile=profile, policy=None if policy == by_policy.TANDEM else policy)
        engines = search.engines(model)
        wanted = load.demand(
            rate=1.0 if rate is None else rate, lengths=lengths, arrival_cv=arrival_cv, trace=trace
        )
        search.run(
            engines,
            wanted,
            slo,
            budget_accelerators,
            has_rate=rate is not None,
            as_json=as_json,
        )
        return
    parameters = options.parameters(param)
    engine = by_policy.engine(profile, by_policy.rule(policy, parameters), parameters)
    bounds = {
        Role.PREFILL: options.bounds("prefill", min_prefill, max_prefill),
        Role.DECODE: options.bounds("decode", min_decode, max_decode),
    }
    spec = FleetSpec(
        slo=slo,
        roles=MappingProxyType(
            {
                role: mixture.pools(
                    pool, role, RoleSpec(profile=engine, min_replicas=low, max_replicas=high)
                )
                for role, (low, high) in bounds.items()
            }
        ),
        classes=mixture.in_spec(asked),
        ratio=RatioBounds(
            lowest=options.ratio("--ratio-min", ratio_min),
            highest=options.ratio("--ratio-max", ratio_max),
        ),
        budget=Budget(accelerators=budget_accelerators, cost_per_hour=budget_cost),
        domains=domains.parsed(domain),
        policy=policy,
        parameters=MappingProxyType(parameters),
    )
    check(spec, FLAGS)
    demand = load.demand(rate=rate, lengths=lengths, arrival_cv=arrival_cv, trace=trace)
    if policy != by_policy.TANDEM or parameters:
        by_policy.run(demand, spec, is_profiled=profile is not None, as_json=as_json)
        return
    demand = mixture.in_demand(demand, asked)
    check_slo(demand, spec, FLAGS)
    sizing = size(demand, spec)
    if as_json:
        typer.echo(json.dumps(answer.as_json(sizing)))
    else:
        answer.show(sizing)


FLAGS = MappingProxyType(  # under which the user knows the fields of a spec
    {
        "slo.ttft": "--ttft",
        "slo.tpot": "--tpot",
        "slo.attainment": "--attainment",
        "prefill.replicas.min": "--min-prefill",
        "decode.replicas.min": "--min-decode",
        "ratio.min": "--ratio-min",
        "ratio.max": "--ratio-max",
        "budget.accelerators": "--budget-accelerators",
        "budget.costPerHour": "--budget-cost",
        "domains": "--domain",
        "slo.tiers": "--ttft-tier",
        "classes": "--class",
        "classes.share": "--class",
    }
)
