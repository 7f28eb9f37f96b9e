"""`tandem trace shift`: the same trace from another moment on."""

from typing import Annotated

import typer

from tandem.api import duration
from tandem.cli.trace import files


def run(
    source: files.Source,
    *,
    by: Annotated[str, typer.Option(help="How much later all comes, such as 6h.")],
    out: files.Out,
    seed: files.Seed = 1,
) -> None:
    """Move all requests; what passes the trace's end comes at its start."""
    from tandem.traces.arrange import shift as shifted  # noqa: PLC0415

    by_s = duration.seconds(by, "--by")
    files.write(shifted(files.read(source, seed, out), by_s), out)
