"""`tandem trace`: look at traces, convert, scale, arrange and generate them; one file per sub-command."""
# ruff: noqa: A005 - named as its command

import typer

from tandem.cli.trace import (
    convert,
    generate,
    jitter,
    look,
    shift,
    splice,
    superpose,
    thin,
    window,
)

app = typer.Typer(
    rich_markup_mode=None,
    help="Look at traces, convert, scale, arrange and generate them. Time is never stretched: a cold "
    "start does not stretch either.",
)
for module in (look, convert, thin, superpose, shift, window, splice, jitter, generate):
    app.command(module.__name__.rpartition(".")[2])(module.run)

__all__ = ["app"]
