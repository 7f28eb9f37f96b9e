"""`tandem plan --search`: the best (TP, P:D) for a model and a number of accelerators."""

import json
from collections.abc import Sequence
from typing import Any

import typer
from rich.console import Console
from rich.table import Table

from tandem.api.role import Role
from tandem.cli import options
from tandem.cli.plan import answer
from tandem.errors import InvalidInputError
from tandem.perf import tensor_parallel
from tandem.perf.engine_profile import EngineProfile
from tandem.perf.library import PROFILES
from tandem.planner import search
from tandem.planner.demand import Demand
from tandem.planner.search import Option
from tandem.planner.spec import Slo
from tandem.planner.words import share


def run(
    engines: Sequence[EngineProfile],
    demand: Demand,
    slo: Slo,
    accelerators: int | None,
    *,
    has_rate: bool,
    as_json: bool,
) -> None:
    """Print the options, best first: by accelerators for a rate that is given, else by the rate."""
    if accelerators is None or accelerators < 1:
        given = "nothing" if accelerators is None else accelerators
        allowed = "the accelerators that --search shares out, 1 or more"
        raise InvalidInputError("--budget-accelerators", given, allowed)
    ranked = search.by_accelerators if has_rate else search.by_rate
    found = ranked(engines, demand, slo, accelerators)
    if not found:
        allowed = "enough for some engines of the model to meet the SLO; none of those known do"
        raise InvalidInputError("--budget-accelerators", accelerators, allowed)
    if as_json:
        typer.echo(json.dumps({"engines": len(engines), "options": [_row(each) for each in found]}))
    else:
        Console(highlight=False, soft_wrap=True).print(_table(found))


def only(**left_out: str | None) -> None:
    """Refuse what --search decides itself."""
    for name, value in left_out.items():
        if value is not None:
            raise InvalidInputError(
                f"--{name}", value, "left out: --search goes over engines itself"
            )


def engines(model: str | None) -> list[EngineProfile]:
    """The engines known of a model: the built-in ones, and on other numbers of accelerators as tables tell."""
    if model is None:
        raise InvalidInputError("--model", "nothing", f"the model to --search for: {_models()}")
    built_in = [each for each in PROFILES.values() if _is_called(each, model)]
    if not built_in:
        raise InvalidInputError("--model", model, f"one of {_models()}")
    folder = options.data_folder()
    path = None if folder is None else folder / "profiles" / tensor_parallel.FILE
    if path is None or not path.is_file():
        return built_in
    more = (each for base in built_in for each in tensor_parallel.variants(base, path))
    return [*built_in, *more]


def _is_called(profile: EngineProfile, model: str) -> bool:
    """By the whole name or its last part, whatever the case."""
    whole = profile.model.lower()
    return model.lower() in (whole, whole.rsplit("/", 1)[-1])


def _models() -> str:
    return ", ".join(sorted({each.model for each in PROFILES.values()}))


def _row(option: Option) -> dict[str, Any]:
    roles = {
        str(role): {
            "profile": option.spec.roles[role].profile.name,
            "accelerators": option.spec.roles[role].profile.accelerators,
            "replicas": count,
        }
        for role, count in option.sizing.replicas.items()
    }
    return {
        **roles,
        "rate": round(option.rate_rps, 4),
        **answer.paid(option.sizing.replicas, option.spec),
        **answer.predicted(option.sizing.prediction),
    }


def _table(found: Sequence[Option]) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in ("accelerator", "prefill", "decode"):
        table.add_column(name)
    for name in ("requests/s", "accelerators", "an hour", "attained"):
        table.add_column(name, justify="right")
    for option in found:
        money = answer.paid(option.sizing.replicas, option.spec)
        table.add_row(
            option.spec.roles[Role.PREFILL].profile.accelerator,
            *(_said(option, role) for role in Role),
            f"{option.rate_rps:.4g}",
            str(money["accelerators"]),
            f"{money['cost_per_hour']:.2f}",
            share(option.sizing.prediction.attainment),
        )
    return table


def _said(option: Option, role: Role) -> str:
    return f"{option.sizing.replicas[role]} x TP{option.spec.roles[role].profile.accelerators}"
