"""`tandem trace look`: what of a trace matters, as a table, as JSON, or drawn."""

import json
from pathlib import Path
from typing import Annotated

import typer

from tandem.cli import options
from tandem.cli.trace import files


def run(
    source: files.Source,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
    plot: Annotated[
        Path | None, typer.Option(help="Draw rate, ratio and lengths as an HTML page too.")
    ] = None,
    seed: files.Seed = 1,
) -> None:
    """Tell how fast, how bursty, how long and how alike the requests of a trace are."""
    from tandem.cli.trace import table  # noqa: PLC0415 - Rich takes as long as all else of this command
    from tandem.traces.statistics import statistics  # noqa: PLC0415

    options.writable("--plot", plot)
    trace = files.read(source, seed)
    figures = statistics(trace)
    if as_json:
        typer.echo(json.dumps(table.as_json(trace.name, figures), indent=2, allow_nan=False))
    else:
        table.show(trace.name, figures)
    if plot is not None:
        from tandem.cli.trace import page  # noqa: PLC0415 - Bokeh takes half a second

        page.write(plot, trace, figures)
        typer.echo(f"wrote {plot}", err=True)
