"""Placement domains in `tandem plan`: the flag, and what lies where in the answer."""

from collections.abc import Sequence
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from tandem.errors import InvalidInputError
from tandem.planner import placement_words, prediction
from tandem.planner.placed import Place
from tandem.planner.sizing import Sizing
from tandem.planner.spec import Domain
from tandem.planner.words import share

DOMAIN = "NAME=ACCELERATORS, such as zone-a=16"

Domains = Annotated[
    list[str] | None,
    typer.Option(
        "--domain",
        help=f"{DOMAIN}: a zone, rack or NVLink domain and what it holds at most; KV is handed over only"
        " within one; repeatable.",
    ),
]


def parsed(texts: Sequence[str] | None) -> tuple[Domain, ...]:
    """Domains by name."""
    return tuple(_domain(text) for text in texts or ())


def as_json(sizing: Sizing) -> dict[str, Any] | None:
    """What lies in each domain, and why so; null of a fleet without any."""
    where = sizing.placement
    if where is None:
        return None
    return {
        "domains": [
            {
                "name": each.domain.name,
                "accelerators": each.domain.accelerators,
                **{str(role): count for role, count in each.replicas.items()},
                "share": round(each.share, 6),
            }
            for each in where.places
        ],
        "reason": where.reason,
    }


def show(console: Console, sizing: Sizing) -> None:
    """A row for each domain, one for several that hold the same."""
    where = sizing.placement
    if where is None:
        return
    table = Table(box=None, pad_edge=False)
    table.add_column("domain")
    for name in ("holds", "prefill", "decode", "of all", "prefill used", "decode used", "attained"):
        table.add_column(name, justify="right")
    for places in placement_words.alike(where.places):
        first, names = places[0], placement_words.names([each.domain for each in places])
        pods = map(str, (first.domain.accelerators, *first.counts))
        table.add_row(names, *pods, share(first.share), *_does(first))
    console.print(table)


def _does(place: Place) -> tuple[str, ...]:
    """How busy both roles are and what is attained; nothing where nobody is served."""
    if not place.share:
        return "", "", ""
    use = prediction.utilisation(place.tandem, *place.counts)
    attained = place.tandem.attainment(*place.counts)
    return share(use["prefill"]), share(use["decode"]), share(attained)


def _domain(text: str) -> Domain:
    name, equals, accelerators = text.partition("=")
    if not (name.strip() and equals and accelerators.isdecimal() and int(accelerators) > 0):
        raise InvalidInputError("--domain", text, DOMAIN)
    return Domain(name=name.strip(), accelerators=int(accelerators))
