"""`tandem trace jitter`: the same requests at slightly other times."""

from typing import Annotated

import typer

from tandem.api import duration
from tandem.cli.trace import files


def run(
    source: files.Source,
    *,
    by: Annotated[str, typer.Option(help="Standard deviation of the noise, such as 5s.")],
    out: files.Out,
    seed: files.Seed = 1,
) -> None:
    """Move each arrival by normal noise, reflected at both ends; a session moves as a whole."""
    from tandem.traces.arrange import jitter as jittered  # noqa: PLC0415

    by_s = duration.seconds(by, "--by")
    files.write(jittered(files.read(source, seed, out), by_s, seed), out)
