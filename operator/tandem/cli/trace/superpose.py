"""`tandem trace superpose`: more requests over the same time."""

from typing import Annotated

import typer

from tandem.cli.trace import files
from tandem.errors import InvalidInputError


def run(
    source: files.Source,
    *,
    out: files.Out,
    copies: Annotated[int | None, typer.Option(help="How many copies in all.")] = None,
    rate: Annotated[
        float | None, typer.Option(help="Requests a second to reach; the last copy is thinned.")
    ] = None,
    seed: files.Seed = 1,
) -> None:
    """Lay copies over each other, each shifted by its own random time and wrapped around the end."""
    from tandem.traces.scale import at_rate  # noqa: PLC0415
    from tandem.traces.scale import superpose as superposed  # noqa: PLC0415

    files.one_of_two("--copies", copies, "--rate", rate)
    trace = files.read(source, seed, out)
    if copies is not None:
        files.write(superposed(trace, copies, seed), out)
        return
    assert rate is not None
    if rate < trace.rate_rps:
        allowed = f"at least the trace's own {trace.rate_rps:.6g}; thin gives less"
        raise InvalidInputError("--rate", rate, allowed)
    files.write(at_rate(trace, rate, seed), out)
