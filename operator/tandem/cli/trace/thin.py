"""`tandem trace thin`: fewer requests over the same time."""

from typing import Annotated

import typer

from tandem.cli.trace import files
from tandem.errors import InvalidInputError


def run(
    source: files.Source,
    *,
    out: files.Out,
    keep: Annotated[
        float | None, typer.Option(help="Share of requests to keep, such as 0.25.")
    ] = None,
    rate: Annotated[
        float | None, typer.Option(help="Requests a second to thin to, on average.")
    ] = None,
    seed: files.Seed = 1,
) -> None:
    """Keep each request, or whole session, with a probability; times stay as they are."""
    from tandem.traces.scale import at_rate  # noqa: PLC0415
    from tandem.traces.scale import thin as thinned  # noqa: PLC0415

    files.one_of_two("--keep", keep, "--rate", rate)
    trace = files.read(source, seed, out)
    if keep is not None:
        files.write(thinned(trace, keep, seed), out)
        return
    assert rate is not None
    if rate > trace.rate_rps:
        allowed = f"at most the trace's own {trace.rate_rps:.6g}; superpose gives more"
        raise InvalidInputError("--rate", rate, allowed)
    files.write(at_rate(trace, rate, seed), out)
