"""`tandem plan --policy`: what the rule of another settles on at a load, and what that pair would do."""

import json
from collections.abc import Mapping

import typer
from rich.console import Console

from tandem.cli.plan import answer
from tandem.errors import InvalidInputError
from tandem.perf.engine_profile import EngineProfile
from tandem.perf.library import PROFILES
from tandem.perf.library import profile as library_profile
from tandem.planner.demand import Demand
from tandem.planner.explain import of_rule
from tandem.planner.explanation import to_json
from tandem.planner.model import Prediction
from tandem.planner.policies.proposal import FIELD, Policy
from tandem.planner.policies.table import named
from tandem.planner.prediction import predict
from tandem.planner.spec import FleetSpec
from tandem.planner.steady import Settled, settle

TANDEM = "tandem"
STAND_IN = "h200-llama-3.1-8b-fp8-tp1"  # for a rule that reads nothing off it


def rule(name: str, parameters: Mapping[str, float]) -> Policy:
    """The policy of a name, with parameters that it knows."""
    try:
        policy = named(name)
        policy.check(parameters)
    except InvalidInputError as error:
        flag = error.field.replace(f"{FIELD}.", "--param ") if error.value != name else "--policy"
        raise InvalidInputError(flag, error.value, error.allowed) from None
    return policy


def engine(name: str | None, policy: Policy, parameters: Mapping[str, float]) -> EngineProfile:
    """The profile of a name; none is needed where parameters tell all that the rule would read off it."""
    if name is not None:
        return library_profile(name)
    instead = policy.instead_of_profile
    if instead and parameters.keys() >= set(instead):
        return PROFILES[STAND_IN]
    or_else = f", or {' and '.join(f'--param {each}' for each in instead)}" if instead else ""
    raise InvalidInputError(
        "--profile", "nothing", f"the name of one that tandem profiles lists, or a file{or_else}"
    )


def run(demand: Demand, spec: FleetSpec, *, is_profiled: bool, as_json: bool) -> None:
    """Print what the policy settles on; the prediction only of an engine that was named."""
    _sizes(named(spec.policy), spec)
    found = settle(demand, spec)
    if not found.stands:
        between = f"{answer.words_of(found.fewest)} and {answer.words_of(found.most)}"
        allowed = f"one that settles at a steady load; this rule goes on moving between {between}"
        raise InvalidInputError("--policy", spec.policy, allowed)
    outcome = predict(demand, spec, found.replicas) if is_profiled else None
    if as_json:
        typer.echo(json.dumps(_as_json(found, demand, spec, outcome)))
    else:
        _show(found, spec, outcome)


def _sizes(policy: Policy, spec: FleetSpec) -> None:
    """A policy without a rule of its own answers with what it is told, so it must be told."""
    for name, known in policy.parameters.items():
        if not policy.needs_traffic and known.default is None and name not in spec.parameters:
            allowed = f"a number: {spec.policy} has no rule of its own to find it by"
            raise InvalidInputError(f"--param {name}", "nothing", allowed)


def _as_json(
    found: Settled, demand: Demand, spec: FleetSpec, outcome: Prediction | None
) -> dict[str, object]:
    money = {"accelerators": None, "cost_per_hour": None}
    return {
        "policy": spec.policy,
        **answer.counted(found.replicas),
        "feasible": None if outcome is None else outcome.attainment >= spec.slo.attainment,
        **answer.predicted(outcome),
        **(money if outcome is None else answer.paid(found.replicas, spec)),
        "reasons": list(found.reasons),
        "runner_up": None,
        "explanation": to_json(
            of_rule(demand, spec, found.replicas, found.reasons, is_profiled=outcome is not None)
        ),
    }


def _show(found: Settled, spec: FleetSpec, outcome: Prediction | None) -> None:
    console = Console(highlight=False, soft_wrap=True)
    if outcome is None:
        console.print(f"[bold]{answer.words_of(found.replicas)}[/bold]")
    else:
        answer.show_outcome(console, outcome, spec)
        verdict = "" if outcome.attainment >= spec.slo.attainment else answer.MISSED
        console.print(f"{answer.bill(found.replicas, spec)}{verdict}")
    for reason in found.reasons:
        console.print(f"  {reason}")
