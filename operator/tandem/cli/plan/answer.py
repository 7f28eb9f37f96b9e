"""The answer of `tandem plan`: as JSON, or as a short table that tells the why."""

from math import isfinite
from typing import Any

from rich.console import Console
from rich.table import Table

from tandem.api.role import Role
from tandem.cli.plan import domains, more
from tandem.planner import region
from tandem.planner.explain import of_sizing
from tandem.planner.explanation import to_json
from tandem.planner.model import QUANTILES, Prediction
from tandem.planner.region import Pair
from tandem.planner.sizing import Sizing
from tandem.planner.spec import FleetSpec
from tandem.planner.words import seconds, share


def as_json(sizing: Sizing) -> dict[str, Any]:
    """The answer as JSON holds it, explained; what is infinite (an overloaded stage) is null."""
    spec = sizing.spec
    return {
        "policy": spec.policy,
        **counted(sizing.replicas),
        "pools": {str(role): dict(each) for role, each in sizing.pools.items()},
        "placement": domains.as_json(sizing),
        "feasible": sizing.feasible,
        **predicted(sizing.prediction),
        **paid(sizing.replicas, spec),
        "reasons": list(reasons(sizing)),
        "runner_up": _runner_up(sizing),
        **more.as_json(sizing),
        "explanation": to_json(of_sizing(sizing.tandem.demand, spec, sizing)),
    }


def counted(pair: Pair) -> dict[str, Any]:
    """The pair and its ratio, null where there is no decode to divide by."""
    prefill, decode = pair[Role.PREFILL], pair[Role.DECODE]
    ratio = round(prefill / decode, 4) if decode else None
    return {"prefill": prefill, "decode": decode, "ratio": ratio}


def predicted(outcome: Prediction | None) -> dict[str, Any]:
    """What the pair would do; null where no engine is known to predict it of."""
    if outcome is None:
        return dict.fromkeys(("bottleneck", "predicted", "utilisation"))
    return {
        "bottleneck": str(outcome.bottleneck),
        "predicted": {
            "attainment": outcome.attainment,
            "ttft_s": _quantiles(outcome.ttft_s),
            "tpot_s": _quantiles(outcome.tpot_s),
            **({"classes": dict(outcome.classes)} if outcome.classes else {}),
        },
        "utilisation": {stage: _finite(use) for stage, use in outcome.utilisation.items()},
    }


def paid(pair: Pair, spec: FleetSpec) -> dict[str, Any]:
    """Accelerators and money."""
    accelerators, cost_per_hour = (region.cost(pair, price) for price in region.prices(spec))
    return {"accelerators": int(accelerators), "cost_per_hour": round(cost_per_hour, 4)}


def reasons(sizing: Sizing) -> tuple[str, ...]:
    """Why this pair: the chain from arrivals on, and what bounds took from it."""
    chain = sizing.reasons
    bounds = (
        "bounds, ratio, budget and domains" if sizing.spec.domains else "bounds, ratio and budget"
    )
    if sizing.replicas != sizing.ideal:
        wanted, given = (words_of(pair) for pair in (sizing.ideal, sizing.replicas))
        chain = (*chain, f"without {bounds}: {wanted}; they leave {given}")
    if not sizing.feasible:
        chain = (*chain, f"no pair within {bounds} meets the SLO")
    if sizing.placement is not None and sizing.placement.reason:
        chain = (*chain, sizing.placement.reason)
    return chain


def show(sizing: Sizing) -> None:
    """Arrivals, load per stage, answer, runner-up, and what more pods would bring."""
    spec = sizing.spec
    console = Console(highlight=False, soft_wrap=True)
    console.print(sizing.reasons[0])
    show_outcome(console, sizing.prediction, spec)
    more.show_classes(console, sizing)
    domains.show(console, sizing)
    console.print(f"{bill(sizing.replicas, spec)}{'' if sizing.feasible else MISSED}")
    for reason in reasons(sizing)[len(sizing.reasons) - 1 :]:
        console.print(f"  {reason}")
    if sizing.runner_up is not None:
        console.print(f"Next best: {words_of(sizing.runner_up.replicas)} {sizing.runner_up.reason}")
    for line in more.lines(sizing):
        console.print(line)


MISSED = " (the SLO is missed)"


def show_outcome(console: Console, outcome: Prediction, spec: FleetSpec) -> None:
    """How busy each stage is, and the percentiles of both targets."""
    console.print(_stages(outcome))
    console.print(_percentiles(outcome, spec))


def bill(pair: Pair, spec: FleetSpec) -> str:
    """The pair and what it takes."""
    accelerators, cost_per_hour = (region.cost(pair, price) for price in region.prices(spec))
    money = f", {cost_per_hour:.2f} an hour" if cost_per_hour else ""
    return f"[bold]{words_of(pair)}[/bold]: {accelerators:.0f} accelerators{money}"


def _stages(outcome: Prediction) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("stage")
    table.add_column("used", justify="right")
    table.add_column("of")
    for stage, of in _MEANING.items():
        table.add_row(stage, share(outcome.utilisation[stage]), of)
    table.add_row("bottleneck", str(outcome.bottleneck), "what gives way first when load grows")
    return table


def _percentiles(outcome: Prediction, spec: FleetSpec) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in ("", *(f"P{100 * quantile:g}" for quantile in QUANTILES), "target"):
        table.add_column(name, justify="right")
    for name, values, target_s in (
        ("TTFT", outcome.ttft_s, spec.slo.ttft_s),
        ("TPOT", outcome.tpot_s, spec.slo.tpot_s),
    ):
        table.add_row(name, *(seconds(value) for value in values), seconds(target_s))
    return table


_MEANING = {
    "prefill": "the time of prefill replicas",
    "link": "the time of KV links",
    "decode": "the tokens that decode can give within TPOT",
    "kv": "decode's KV cache, on average",
}


def words_of(pair: Pair) -> str:
    """As a person says it: 3 prefill + 4 decode."""
    return " + ".join(f"{pair[role]} {role}" for role in Role)


def _quantiles(values: tuple[float, ...]) -> dict[str, float | None]:
    return {
        f"p{100 * quantile:g}": _finite(value)
        for quantile, value in zip(QUANTILES, values, strict=True)
    }


def _finite(value: float) -> float | None:
    return value if isfinite(value) else None


def _runner_up(sizing: Sizing) -> dict[str, Any] | None:
    if sizing.runner_up is None:
        return None
    replicas = {str(role): count for role, count in sizing.runner_up.replicas.items()}
    return {**replicas, "reason": sizing.runner_up.reason}
