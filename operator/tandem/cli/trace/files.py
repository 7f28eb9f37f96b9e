"""What all sub-commands share: where traces come from and go to, and the line that says so.

What needs NumPy is imported where it is used, here and in every sub-command: help starts without it.
"""

from pathlib import Path
from typing import Annotated

import typer

from tandem.cli import options
from tandem.errors import InvalidInputError
from tandem.traces.model import Trace
from tandem.traces.names import FILE_NAMES, LOADS

FIELD = "TRACE"
Source = Annotated[
    str,
    typer.Argument(
        metavar=FIELD,
        help=f"A trace file of any format, or a built-in load: {', '.join(LOADS)}.",
    ),
]
Out = Annotated[Path, typer.Option(help=f"The file to write: {FILE_NAMES}.")]
Seed = Annotated[int, typer.Option(help="Of all that is random.")]


def read(source: str, seed: int, out: Path | None = None) -> Trace:
    """The trace to work on; what is wrong with the output's name or the seed is told before."""
    from tandem.traces.named import load  # noqa: PLC0415

    ready(seed, out)
    return load(source, FIELD, seed)


def ready(seed: int, out: Path | None) -> None:
    """Refuse a seed or an output that can't be, before any work is done."""
    from tandem.traces.write import check_name  # noqa: PLC0415

    if seed < 0:
        raise InvalidInputError("--seed", seed, "0 or more")
    if out is not None:
        check_name(out)
        options.writable("--out", out)


def write(trace: Trace, out: Path) -> None:
    """Write the trace; say what was written, and what of it the format can't carry."""
    from tandem.traces.write import write_trace  # noqa: PLC0415

    lost = write_trace(trace, out)
    typer.echo(f"wrote {out}: {told(trace)}")
    if lost:
        typer.echo(f"note: {out.name} can't carry {', '.join(lost)}; JSONL does", err=True)


def told(trace: Trace) -> str:
    """A trace in a few words."""
    rate = f", {trace.rate_rps:.3g} requests/s" if trace.duration_s else ""
    return f"{len(trace.requests)} requests in {trace.duration_s:.6g} s{rate}"


def one_of_two(flag: str, value: float | None, other_flag: str, other: float | None) -> None:
    """Refuse both of two flags, and neither."""
    if (value is None) == (other is None):
        given = "nothing" if value is None else f"{value:g}"
        allowed = f"either {flag} or {other_flag}, not {'neither' if value is None else 'both'}"
        raise InvalidInputError(flag, given, allowed)
