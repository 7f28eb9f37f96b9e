"""`tandem trace splice`: several traces in one."""

from typing import Annotated

import typer

from tandem.cli import options
from tandem.cli.trace import files
from tandem.errors import InvalidInputError
from tandem.traces.names import LOADS

_TWO = 2
_Sources = Annotated[
    list[str],
    typer.Argument(
        metavar="TRACE...", help=f"Trace files or built-in loads ({', '.join(LOADS)}), in order."
    ),
]


def run(
    sources: _Sources,
    *,
    out: files.Out,
    mix: Annotated[
        str | None,
        typer.Option(
            help="Fade from the first of two traces to the second and back within so long, instead:"
            " each request gets a class, its trace's name where it has none."
        ),
    ] = None,
    seed: files.Seed = 1,
) -> None:
    """Put traces one after the other, or fade between two, such as long prompts and long answers."""
    from tandem.traces.arrange import mix as mixed  # noqa: PLC0415
    from tandem.traces.arrange import splice as spliced  # noqa: PLC0415

    fade_s = None if mix is None else options.seconds("--mix", mix)
    if fade_s is not None and len(sources) != _TWO:
        raise InvalidInputError("--mix", mix, f"used with two traces, not {len(sources)}")
    files.ready(seed, out)
    traces = [files.read(source, seed) for source in sources]
    if fade_s is None:
        files.write(spliced(traces), out)
    else:
        first, second = traces
        files.write(mixed(first, second, fade_s, seed), out)
