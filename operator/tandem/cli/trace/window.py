"""`tandem trace window`: a part of a trace."""

from typing import Annotated

import typer

from tandem.api import duration as durations
from tandem.cli import options
from tandem.cli.trace import files


def run(
    source: files.Source,
    *,
    out: files.Out,
    start: Annotated[str, typer.Option("--from", help="Where the part begins.")] = "0s",
    duration: Annotated[str, typer.Option(help="How long it is; it ends with the trace at last.")],
    seed: files.Seed = 1,
) -> None:
    """Cut a part out of a trace; its time counts from the part's begin."""
    from tandem.traces.scale import window as part  # noqa: PLC0415

    start_s = durations.seconds(start, "--from")
    duration_s = options.seconds("--duration", duration)
    files.write(part(files.read(source, seed, out), start_s, duration_s), out)
