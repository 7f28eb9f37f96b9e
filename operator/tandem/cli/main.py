"""The `tandem` command: one file per sub-command, imported only when it is asked for."""

import importlib
import sys
from collections.abc import Callable

import click
import typer

from tandem import __version__
from tandem.errors import TandemError

COMMANDS = {  # name: module, one line of help
    "up": (
        "tandem.cli.up",
        "Run a fleet on this machine: engines, gateway and the operator's loop.",
    ),
    "plan": ("tandem.cli.plan", "Size prefill and decode for a load and an SLO."),
    "simulate": ("tandem.cli.simulate", "Replay a trace against a simulated fleet."),
    "crds": ("tandem.cli.crds", "Print or write the custom resource definitions."),
}
USAGE = 2


class _Lazy(click.Group):
    """Imports a command's module when it is called, so that the others cost nothing."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        run: Callable[..., object] = importlib.import_module(COMMANDS[cmd_name][0]).run
        app = typer.Typer(add_completion=False, rich_markup_mode=None)
        app.command(help=run.__doc__)(run)
        command = typer.main.get_command(app)
        command.name = cmd_name
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=_Lazy, help="Autoscaling of disaggregated LLM fleets.")
@click.version_option(__version__, prog_name="tandem")
def root() -> None:
    """Hold the commands."""


def main() -> None:
    """Run the command line: a user's mistake is one line and exit 2, never a traceback."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Exit code of one command line."""
    try:
        result = root.main(arguments, prog_name="tandem", standalone_mode=False)
    except click.ClickException as error:
        return _say(_one_line(error))
    except TandemError as error:
        return _say(str(error))
    except (click.Abort, KeyboardInterrupt):
        return 130
    return result if isinstance(result, int) else 0


def _one_line(error: click.ClickException) -> str:
    text = error.format_message().replace("\n", " ")
    context = getattr(error, "ctx", None)
    where = context.command_path if context else "tandem"
    return f"{text} ({where} --help lists what is allowed)"


def _say(message: str) -> int:
    click.echo(f"error: {message}", err=True)
    return USAGE
