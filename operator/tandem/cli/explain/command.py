"""The command: a plan, a folder of `tandem up` or the name of a fleet in; the chain to its answer out."""

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from tandem.cli.explain import cluster, show, stored
from tandem.errors import InvalidInputError
from tandem.planner.decisions import MOST, Decisions

_WHAT = (
    "Name of a DisaggregatedLLM; or a file of tandem plan --json, - for stdin, or the folder of"
    " tandem up."
)


def run(
    what: Annotated[str, typer.Argument(help=_WHAT, metavar="NAME|FILE")],
    *,
    namespace: Annotated[
        str | None,
        typer.Option(
            "--namespace", "-n", help="Of the fleet; default: that of the kubeconfig's context."
        ),
    ] = None,
    back: Annotated[
        int, typer.Option(help=f"So many decisions before the newest; {MOST} at most are kept.")
    ] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the explanation as JSON.")] = False,
) -> None:
    """Say why a plan is as it is: arrivals, load, unclamped answer, limits, result, and what would change it."""
    decisions = _decisions(what, namespace)
    if not 0 <= back < len(decisions.told):
        raise InvalidInputError("--back", back, f"0 to {len(decisions.told) - 1}: so many are kept")
    chosen = decisions.told[back]
    if as_json:
        typer.echo(json.dumps(stored.as_json(chosen), allow_nan=False))
        return
    title = "stdin" if what == "-" else what
    show.show(chosen, title, now_s=time.time())
    if len(decisions.told) > 1 and not back:
        typer.echo(f"\n{len(decisions.told) - 1} earlier: --back 1 to {len(decisions.told) - 1}")


def _decisions(what: str, namespace: str | None) -> Decisions:
    if namespace is None and what == "-":
        return stored.read(sys.stdin.read(), "stdin")
    if namespace is None and stored.is_path(what):
        return stored.of_path(Path(what))
    return asyncio.run(cluster.decisions(what, namespace))
