"""What `tandem plan` tells besides the pair: pools, classes, the worth of one more pod, the SLO within reach."""

from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.table import Table

from tandem.planner import advice
from tandem.planner.sizing import Sizing
from tandem.planner.words import seconds, share


def as_json(sizing: Sizing) -> dict[str, Any]:
    """The worth of one more pod of each role, what breaks the bottleneck, the SLO that could be met."""
    relief, nearest = advice.relief(sizing), _attainable(sizing)
    return {
        "marginal": {
            str(role): {"attainment": each.attainment, "rate": round(each.rate_rps, 4)}
            for role, each in advice.marginal(sizing).items()
        },
        "relief": None
        if relief is None
        else {
            "role": str(relief.role),
            "replicas": relief.replicas,
            "then": str(relief.then),
            "growth": relief.growth,
        },
        "attainable_slo": None
        if nearest is None
        else {
            "factor": nearest.factor,
            "ttft_s": nearest.ttft_s,
            "tpot_s": nearest.tpot_s,
            **{str(role): count for role, count in nearest.replicas.items()},
        },
    }


def show_classes(console: Console, sizing: Sizing) -> None:
    """A row for each class, where there are any."""
    targets, attained = sizing.tandem.targets, sizing.prediction.classes
    if not attained:
        return
    table = Table(box=None, pad_edge=False)
    table.add_column("class")
    for name in ("of all", "TTFT", "TPOT", "attained", "asked"):
        table.add_column(name, justify="right")
    for each in targets:
        slo = each.slo
        row = (share(each.share), seconds(slo.ttft_s), seconds(slo.tpot_s))
        table.add_row(each.name, *row, share(attained[each.name]), share(slo.attainment))
    console.print(table)


def lines(sizing: Sizing) -> Iterator[str]:
    """Pools where a role has several, then advice."""
    for role, each in sizing.pools.items():
        if len(each) > 1:
            yield f"{role}: {', '.join(f'{count} x {name}' for name, count in each.items())}"
    for role, worth in advice.marginal(sizing).items():
        gained = f"{100 * worth.attainment:+.2g} points of attainment"
        yield f"One more {role}: {gained}, {worth.rate_rps:+.3g} requests/s within the SLO"
    relief = advice.relief(sizing)
    if relief is not None:
        then = "then none is near" if relief.then == "none" else f"then comes {relief.then}"
        yield f"{relief.bottleneck} goes with {relief.replicas} more {relief.role}; {then}"
    if sizing.feasible:
        return
    nearest = _attainable(sizing)
    if nearest is None:
        most_rps = advice.most_rps(sizing, sizing.replicas)
        yield f"No longer targets help: these serve at most {most_rps:.3g} requests/s within the SLO"
    else:
        targets = f"TTFT {seconds(nearest.ttft_s)} and TPOT {seconds(nearest.tpot_s)}"
        yield f"Could be met within these bounds: {targets}, {nearest.factor:.3g} times as long"


def _attainable(sizing: Sizing) -> advice.AttainableSlo | None:
    """Sought only where the SLO that was asked is not met."""
    return None if sizing.feasible else advice.attainable(sizing.tandem.demand, sizing.spec)
