"""The `tandem` command: one file per sub-command, imported only when it is asked for."""

import importlib
import itertools
import sys

import typer

from tandem import __version__, compiled
from tandem.errors import TandemError

COMMANDS = {  # name: module, one line of help
    "up": (
        "tandem.cli.up",
        "Run a fleet on this machine: engines, gateway and the operator's loop.",
    ),
    "plan": ("tandem.cli.plan", "Size prefill and decode for a load and an SLO."),
    "explain": ("tandem.cli.explain", "Say why a plan is as it is, and what would change it."),
    "simulate": ("tandem.cli.simulate", "Replay a trace against a simulated fleet."),
    "league": (
        "tandem.cli.league",
        "Play policies against each other, and against the best possible.",
    ),
    "trace": ("tandem.cli.trace", "Look at traces, convert, scale, arrange and generate them."),
    "policies": ("tandem.cli.policies", "List the scaling policies, their sources and limits."),
    "profiles": ("tandem.cli.profiles", "List engine profiles, or print one as a resource."),
    "crds": ("tandem.cli.crds", "Print or write the custom resource definitions."),
    "dashboards": ("tandem.cli.dashboards", "Write dashboards, recording rules and alerts."),
}
SIMULATING = ("simulate", "league")
USAGE = 2
FAILED = 1
INTERRUPTED = 130


def main() -> None:
    """Run the command line: a user's mistake is one line and exit 2, never a traceback."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Exit code of one command line."""
    try:
        result = _app(arguments)(arguments or ["--help"], prog_name="tandem", standalone_mode=False)
    except typer.TyperException as error:
        return _say(_one_line(error, arguments))
    except TandemError as error:
        return _say(str(error))
    except OSError as error:  # a disk that is full, a folder that can't be written
        return _say(f"{error.filename or 'the machine'}: {error.strerror or error}", FAILED)
    except (typer.Abort, KeyboardInterrupt):
        return INTERRUPTED
    return result if isinstance(result, int) else 0


def _app(arguments: list[str]) -> typer.Typer:
    """The application, with the command that is asked for imported and the others only named."""
    app = typer.Typer(
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        help="Autoscaling of disaggregated LLM fleets.",
    )
    app.callback()(_root)
    asked = next((word for word in arguments if not word.startswith("-")), None)
    if asked in SIMULATING and "--help" not in arguments:
        compiled.use(_note)
    for name, (module, text) in COMMANDS.items():
        if name != asked:
            app.command(name, short_help=text)(_named)
        elif hasattr(command := importlib.import_module(module), "app"):  # sub-commands of its own
            app.add_typer(command.app, name=name, short_help=text)
        else:
            app.command(name, short_help=text)(command.run)
    return app


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"tandem {__version__}")
        raise typer.Exit


def _root(
    *,
    version: bool = typer.Option(
        False,
        "--version",
        help="Print the version.",
        is_eager=True,
        callback=_version,
    ),
) -> None:
    """Hold what every command shares."""


def _named() -> None:
    """Stand for a command in the list of all."""


def _one_line(error: typer.TyperException, arguments: list[str]) -> str:
    """The message of a usage error: flag, value, and the command whose help says what is allowed."""
    format_message = getattr(error, "format_message", error.__str__)
    text = str(format_message()).replace("\n", " ")
    for flag, value in itertools.pairwise(arguments):
        text = text.replace(f"Invalid value for '{flag}'", f"{flag}: {value!r} is not allowed", 1)
    context = getattr(error, "ctx", None)
    where = context.command_path if context else "tandem"
    return f"{text} ('{where} --help' lists what is allowed)"


def _note(message: str) -> None:
    typer.echo(message, err=True)


def _say(message: str, code: int = USAGE) -> int:
    typer.echo(f"error: {message}", err=True)
    return code
